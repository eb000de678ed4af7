// The models of an engine, by what requests call them: loaded side by side on one device, and loaded anew after it was lost.
import { shown } from "../api/checks.ts";
import type { RequestLimits } from "../api/request.ts";
import { EngineError, isEngineError, throwIfAborted } from "../base/errors.ts";
import type { MemoryBudget } from "./memory-budget.ts";
import type { ModelInfo } from "./model-info.ts";
import type { OpenRuntimeHost, RuntimeHost } from "./runtime-host.ts";
import type { Scheduler } from "./scheduler.ts";
import { openSession, type Session, type SessionOptions } from "./session.ts";

export interface LoadedModel {
  readonly id: string;
  /** Unix time in seconds. */
  readonly created: number;
  readonly info: ModelInfo;
  /** What requests to it are checked against. */
  readonly limits: RequestLimits;
  /** The session, loaded anew after a loss. Callers share one loading, and no caller's abort ends it. */
  session(): Promise<Session>;
  /** `unload` waits for this. */
  track(work: Promise<unknown>): void;
}

export interface LoadedModels {
  /** @throws EngineError `invalid_request` for an id that is taken, and all that loading a model can meet */
  load(options: SessionOptions, signal?: AbortSignal): Promise<LoadedModel>;
  /** Ends its requests with `model_not_loaded`, and frees it. @throws EngineError `model_not_found` */
  unload(id: string): Promise<void>;
  /** @throws EngineError `model_not_found` */
  find(id: string): LoadedModel;
  /** In the order in which they were loaded. */
  list(): readonly LoadedModel[];
  /** A step found the device lost before the device said so itself. */
  lost(session: Session, error: EngineError): void;
  /** Ends every request with `error`, waits for their clean-up, and frees everything. */
  dispose(error: EngineError): Promise<void>;
}

export interface ModelsOptions {
  readonly openHost: OpenRuntimeHost;
  readonly budget: MemoryBudget;
  readonly scheduler: Scheduler;
  readonly isolateUsers: boolean;
}

interface Entry extends LoadedModel {
  current: Session | undefined;
  opening: Promise<Session> | undefined;
  readonly running: Set<Promise<void>>;
  readonly life: AbortController;
}

export function createLoadedModels({ openHost, ...parts }: ModelsOptions): LoadedModels {
  const entries = new Map<string, Entry>();
  const loading = new Set<{
    readonly id: string | undefined;
    readonly life: AbortController;
    ended: Promise<unknown>;
  }>();
  /** Entries that are no longer listed, and not yet freed. */
  const closing = new Set<Promise<void>>();
  const hostOf = new WeakMap<Session, Promise<RuntimeHost>>();
  let opened: Promise<RuntimeHost> | undefined;

  function sharedHost(): Promise<RuntimeHost> {
    if (opened) return opened;
    const attempt = openHost();
    opened = attempt;
    attempt.catch(() => {
      if (opened === attempt) opened = undefined;
    });
    return attempt;
  }

  /** A session on the shared host. */
  async function open(options: SessionOptions, signal: AbortSignal): Promise<Session> {
    const hosting = sharedHost();
    const host = await hosting;
    try {
      const session = await openSession(options, { host, ...parts }, signal);
      hostOf.set(session, hosting);
      return session;
    } catch (error) {
      if (isEngineError(error, "device_lost")) dropHost(hosting, error);
      throw error;
    }
  }

  /** Once a session is its model's: from now on its loss is that of all on its host, also one that has been. */
  function watch(session: Session): void {
    void session.runtime.lost.then((error) => dropHost(hostOf.get(session)!, error));
  }

  function dropHost(hosting: Promise<RuntimeHost>, error: EngineError): void {
    for (const entry of entries.values()) {
      const { current } = entry;
      if (!current || hostOf.get(current) !== hosting) continue;
      entry.current = undefined;
      parts.scheduler.stop(current.runtime, error);
      current.dispose();
    }
    if (opened !== hosting) return;
    opened = undefined;
    void hosting.then((host) => host.dispose());
  }

  function createEntry(first: Session, options: SessionOptions, life: AbortController): Entry {
    const { tokenizer, template, info } = first;
    const running = new Set<Promise<void>>();
    let known = info;
    return {
      id: info.id,
      created: Math.floor(Date.now() / 1000),
      limits: { tokenizer, templateVariables: template.variables },
      current: first,
      opening: undefined,
      running,
      life,
      get info() {
        known = this.current?.info ?? known;
        return known;
      },
      session() {
        if (this.current) return Promise.resolve(this.current);
        this.opening ??= open({ ...options, id: info.id }, life.signal)
          .then((session) => {
            this.current = session;
            watch(session);
            return session;
          })
          .catch((error) => {
            throw life.signal.aborted ? unloaded(info.id) : error;
          })
          .finally(() => {
            this.opening = undefined;
          });
        return this.opening;
      },
      track(work) {
        const settled = work.then(ignore, ignore);
        running.add(settled);
        void settled.then(() => running.delete(settled));
      },
    };
  }

  /** Ends what runs on a model, then frees it. */
  function close(entry: Entry, error: EngineError): Promise<void> {
    entries.delete(entry.id);
    const closed = end(entry, error).finally(() => closing.delete(closed));
    closing.add(closed);
    return closed;
  }

  async function end(entry: Entry, error: EngineError): Promise<void> {
    entry.life.abort();
    await entry.opening?.then(ignore, ignore);
    const { current } = entry;
    if (current) parts.scheduler.stop(current.runtime, error);
    await Promise.all(entry.running);
    entry.current?.dispose();
    entry.current = undefined;
  }

  function requireFree(id: string | undefined): void {
    if (id === undefined) return;
    const taken = entries.has(id) || [...loading].some((other) => other.id === id);
    if (!taken) return;
    throw new EngineError("invalid_request", `A model is loaded as '${id}' already: unload it, or choose another id.`, {
      param: "id",
    });
  }

  return {
    async load(options, signal) {
      requireFree(options.id);
      const life = new AbortController();
      const stop = () => life.abort(signal?.reason);
      if (signal?.aborted) stop();
      signal?.addEventListener("abort", stop, { once: true });
      const attempt = open(options, life.signal);
      const own = { id: options.id, life, ended: attempt.then(ignore, ignore) };
      loading.add(own);
      try {
        const session = await attempt;
        loading.delete(own);
        try {
          throwIfAborted(life.signal); // the loading may have been past its last look
          requireFree(session.info.id);
        } catch (error) {
          session.dispose();
          throw error;
        }
        const entry = createEntry(session, options, life);
        entries.set(entry.id, entry);
        watch(session);
        return entry;
      } finally {
        loading.delete(own);
        signal?.removeEventListener("abort", stop);
      }
    },
    async unload(id) {
      await close(find(id), unloaded(id));
    },
    find,
    list: () => [...entries.values()],
    lost: (session, error) => dropHost(hostOf.get(session)!, error),
    async dispose(error) {
      for (const { life } of loading) life.abort();
      for (const { current } of entries.values()) if (current) parts.scheduler.stop(current.runtime, error);
      for (const entry of [...entries.values()]) void close(entry, error);
      await Promise.all([...closing, ...[...loading].map(({ ended }) => ended)]);
      const hosting = opened;
      opened = undefined;
      await hosting?.then((host) => host.dispose(), ignore);
    },
  };

  function find(id: string): Entry {
    const entry = entries.get(id);
    if (entry) return entry;
    const names = [...entries.keys()].map((name) => `'${name}'`).join(", ");
    throw new EngineError(
      "model_not_found",
      `The model '${shown(id)}' is not loaded. ${names === "" ? "No model is." : `Loaded: ${names}.`}`,
      { param: "model" },
    );
  }
}

function unloaded(id: string): EngineError<"model_not_loaded"> {
  return new EngineError("model_not_loaded", `The model '${id}' was unloaded while this call was running.`);
}

function ignore(): void {}
