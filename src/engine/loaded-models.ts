// The models of an engine, by what requests call them: loaded side by side on one device, and loaded anew after it was lost.
import { shown } from "../api/checks.ts";
import { EngineError, isEngineError, throwIfAborted } from "../base/errors.ts";
import { invariant } from "../base/invariant.ts";
import { createMemoryShare, type MemoryBudget, type MemoryShare } from "./memory-budget.ts";
import { createModelEntry, type LoadedModel, type ModelEntry, unloaded } from "./model-entry.ts";
import type { OpenRuntimeHost, RuntimeHost } from "./runtime-host.ts";
import { createScheduler } from "./scheduler.ts";
import { openSession, type Session, type SessionOptions } from "./session.ts";
import type { Stall } from "./stall.ts";

export interface LoadedModels {
  /** @throws EngineError `invalid_request` for an id that is taken, and all that loading a model can meet */
  load(options: SessionOptions, signal?: AbortSignal): Promise<LoadedModel>;
  /** Ends its requests with `model_not_loaded`, and frees it. @throws EngineError `model_not_found` */
  unload(id: string): Promise<void>;
  /** @throws EngineError `model_not_found` */
  find(id: string): LoadedModel;
  /** In the order in which they were loaded. */
  list(): readonly LoadedModel[];
  /** Ends every request with `error`, waits for their clean-up, and frees everything. */
  dispose(error: EngineError): Promise<void>;
}

export interface ModelsOptions {
  readonly openHost: OpenRuntimeHost;
  readonly budget: MemoryBudget;
  readonly isolateUsers: boolean;
  readonly onStall: (stall: Stall) => void;
}

/** A model that is listed. */
interface Listed {
  readonly entry: ModelEntry;
  readonly share: MemoryShare;
}

export function createLoadedModels({ openHost, budget, isolateUsers, onStall }: ModelsOptions): LoadedModels {
  const listed = new Map<string, Listed>();
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

  const scheduler = createScheduler({
    onStall,
    onLost(runtime) {
      const session = sessions().find((session) => session.runtime === runtime);
      invariant(session, "requests run on the runtimes of listed models");
      dropHost(hostOf.get(session)!);
    },
  });

  function sessions(): Session[] {
    return [...listed.values()].flatMap(({ entry }) => entry.current ?? []);
  }

  /** A session on the shared host. */
  async function open(options: SessionOptions, share: MemoryShare, signal: AbortSignal): Promise<Session> {
    const hosting = sharedHost();
    const host = await hosting;
    try {
      const session = await openSession(options, { host, share, scheduler, isolateUsers }, signal);
      hostOf.set(session, hosting);
      return session;
    } catch (error) {
      if (isEngineError(error, "device_lost")) dropHost(hosting);
      throw error;
    }
  }

  /** All that is on it is lost. */
  function dropHost(hosting: Promise<RuntimeHost>): void {
    if (opened === hosting) {
      opened = undefined;
      void hosting.then((host) => host.dispose());
    }
    for (const { entry } of listed.values()) {
      if (entry.current && hostOf.get(entry.current) === hosting) entry.lose();
    }
  }

  function list(first: Session, options: SessionOptions, share: MemoryShare, life: AbortController): ModelEntry {
    const entry = createModelEntry(first, {
      scheduler,
      life,
      reopen: ({ id, contextLength }, signal) => open({ ...options, id, contextLength }, share, signal),
      // From now on its loss is that of all on its host, also one that has been.
      onCurrent: (session) => void session.runtime.lost.then(() => dropHost(hostOf.get(session)!)),
    });
    listed.set(entry.id, { entry, share });
    return entry;
  }

  /** Ends what runs on a model, then frees it. */
  function close({ entry, share }: Listed, error: EngineError): Promise<void> {
    listed.delete(entry.id);
    entry.stop(error);
    const closed = entry.freed().finally(() => {
      share.giveBack();
      closing.delete(closed);
    });
    closing.add(closed);
    return closed;
  }

  function requireFree(id: string | undefined): void {
    if (id === undefined) return;
    const taken = listed.has(id) || [...loading].some((other) => other.id === id);
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
      const share = createMemoryShare(budget);
      const attempt = open(options, share, life.signal);
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
        return list(session, options, share, life);
      } catch (error) {
        share.giveBack();
        throw error;
      } finally {
        loading.delete(own);
        signal?.removeEventListener("abort", stop);
      }
    },
    async unload(id) {
      await close(find(id), unloaded(id));
    },
    find: (id) => find(id).entry,
    list: () => [...listed.values()].map(({ entry }) => entry),
    async dispose(error) {
      for (const { life } of loading) life.abort();
      for (const model of [...listed.values()]) void close(model, error);
      await Promise.all([...closing, ...[...loading].map(({ ended }) => ended)]);
      const hosting = opened;
      opened = undefined;
      await hosting?.then((host) => host.dispose(), ignore);
    },
  };

  function find(id: string): Listed {
    const found = listed.get(id);
    if (found) return found;
    const names = [...listed.keys()].map((name) => `'${name}'`).join(", ");
    throw new EngineError(
      "model_not_found",
      `The model '${shown(id)}' is not loaded. ${names === "" ? "No model is." : `Loaded: ${names}.`}`,
      { param: "model" },
    );
  }
}

function ignore(): void {}
