// A model of an engine, from its loading to its unloading. Its session is lost with the device and loaded anew when somebody
// needs it: requests that were under way go on with the tokens that they would have had.
import type { RequestLimits } from "../api/request.ts";
import { EngineError, isEngineError } from "../base/errors.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { ModelInfo } from "./model-info.ts";
import type { Scheduler } from "./scheduler.ts";
import type { Session } from "./session.ts";

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

export interface ModelEntry extends LoadedModel {
  /** Undefined between a loss and the next loading's end. */
  readonly current: Session | undefined;
  /** The current session's device is gone. */
  lose(): void;
  /** Ends its requests, and whatever is being loaded for them, with `error`. */
  stop(error: EngineError): void;
  /** Waits for the clean-up of what `stop` has ended, then frees the session. */
  freed(): Promise<void>;
}

export interface EntryParts {
  readonly scheduler: Scheduler;
  /** Ends when the model is unloaded. */
  readonly life: AbortController;
  /** Loads the model as it was loaded first, in the memory that it had. */
  readonly reopen: (info: ModelInfo, signal: AbortSignal) => Promise<Session>;
  /** Sees each session that becomes the current one. */
  readonly onCurrent: (session: Session) => void;
}

export function createModelEntry(first: Session, { scheduler, life, reopen, onCurrent }: EntryParts): ModelEntry {
  const { tokenizer, template } = first;
  const running = new Set<Promise<void>>();
  let { info } = first;
  let current: Session | undefined = first;
  /** Whose requests wait for the next runtime. */
  let lost: Runtime | undefined;
  let opening: Promise<Session> | undefined;

  function session(): Promise<Session> {
    if (current) return Promise.resolve(current);
    opening ??= reopen(info, life.signal).then(opened, notOpened);
    return opening;
  }

  function opened(next: Session): Session {
    opening = undefined;
    current = next;
    if (lost && canGoOn(info, next.info)) scheduler.renew(lost, next.runtime);
    else if (lost) scheduler.stop(lost, cameBackOther(info.id));
    lost = undefined;
    info = next.info;
    onCurrent(next);
    return next;
  }

  function notOpened(error: unknown): never {
    opening = undefined;
    if (life.signal.aborted) throw unloaded(info.id);
    if (lost && isEngineError(error, "device_lost")) scheduler.suspend(lost, ask);
    else if (lost) {
      scheduler.stop(lost, notRebuilt(info.id, error));
      lost = undefined;
    }
    throw error;
  }

  /** For requests that are under way: they hear of a failure from the scheduler. */
  function ask(): void {
    session().catch(() => {});
  }

  function stop(error: EngineError): void {
    life.abort();
    const runtime = current?.runtime ?? lost;
    if (runtime) scheduler.stop(runtime, error);
    // One that nobody has a lane on yet, but soon.
    opening?.then(({ runtime }) => scheduler.stop(runtime, error)).catch(() => {});
  }

  onCurrent(first);
  return {
    id: info.id,
    created: Math.floor(Date.now() / 1000),
    limits: { tokenizer, templateVariables: template.variables },
    get info() {
      return info;
    },
    get current() {
      return current;
    },
    session,
    track(work) {
      const settled = work.then(ignore, ignore);
      running.add(settled);
      void settled.then(() => running.delete(settled));
    },
    lose() {
      if (!current) return;
      current.dispose();
      lost = current.runtime;
      current = undefined;
      scheduler.suspend(lost, ask);
    },
    stop,
    async freed() {
      await opening?.then(ignore, ignore);
      await Promise.all(running);
      current?.dispose();
      current = undefined;
    },
  };
}

export function unloaded(id: string): EngineError<"model_not_loaded"> {
  return new EngineError("model_not_loaded", `The model '${id}' was unloaded while this call was running.`);
}

/** Whether answers that were begun before a loss can be ended after it: bit for bit, and with room for all their tokens. */
function canGoOn(before: ModelInfo, after: ModelInfo): boolean {
  return before.fingerprint === after.fingerprint && before.contextLength <= after.contextLength;
}

function cameBackOther(id: string): EngineError<"device_lost"> {
  return new EngineError(
    "device_lost",
    `The GPU was lost, and '${id}' came back on another one or with less memory, where this answer cannot be ended as it ` +
      "was begun. Ask again.",
  );
}

function notRebuilt(id: string, cause: unknown): EngineError<"device_lost"> {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new EngineError("device_lost", `The GPU was lost, and '${id}' could not be loaded anew: ${why}`, { cause });
}

function ignore(): void {}
