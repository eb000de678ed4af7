// The place of a desk's runtime: empty from a loss until another one has been loaded. Calls that a loss cuts off come back
// empty-handed, and whoever made them is served by the next.
import { type EngineError, isEngineError } from "../base/errors.ts";
import { PendingCalls } from "../base/pending.ts";
import type { Runtime } from "../runtime/runtime.ts";

export interface RuntimeSlot {
  /** Undefined while it is empty. */
  readonly current: Runtime | undefined;
  /**
   * What the runtime answers, if it still is the current one by then; undefined when it was lost meanwhile, or none is there.
   * @throws EngineError what the call throws, but for `device_lost`; what `close` was called with
   */
  call<T>(work: (runtime: Runtime) => Promise<T>): Promise<T | undefined>;
  /** The runtime is lost: all calls under way come back. */
  empty(): void;
  fill(runtime: Runtime): void;
  /** Ends every call, now and later, with `error`. */
  close(error: unknown): void;
}

/** @param onLost a call found `runtime` lost, and nobody has emptied the slot: it has to be, at once */
export function createRuntimeSlot(
  first: Runtime,
  onLost: (runtime: Runtime, error: EngineError<"device_lost">) => void,
): RuntimeSlot {
  let current: Runtime | undefined = first;
  let calls = new PendingCalls();
  let closed: { readonly error: unknown } | undefined;

  function throwIfClosed(): void {
    if (closed) throw closed.error;
  }

  return {
    get current() {
      return current;
    },
    async call(work) {
      throwIfClosed();
      const runtime = current;
      if (!runtime) return undefined;
      try {
        const result = await calls.track(work(runtime));
        return current === runtime ? result : undefined;
      } catch (error) {
        throwIfClosed();
        if (current !== runtime) return undefined;
        if (!isEngineError(error, "device_lost")) throw error;
        onLost(runtime, error);
        return undefined;
      }
    },
    empty() {
      current = undefined;
      calls.fail(undefined);
      calls = new PendingCalls();
    },
    fill(runtime) {
      current = runtime;
    },
    close(error) {
      closed ??= { error };
      calls.fail(error);
    },
  };
}
