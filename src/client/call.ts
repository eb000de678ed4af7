// One call to the worker: a controller of its own, and an end at which nothing of it is left on the page.
import { EngineError } from "../base/errors.ts";
import type { PendingCalls } from "../base/pending.ts";
import { forgetSignal } from "../transport/signal.ts";

export interface Call {
  readonly controller: AbortController;
  /** The call is over: its signal is heard no more. */
  end(): void;
}

/** Follows the caller's signal until the call is over. */
export function startCall(signal: AbortSignal | undefined): Call {
  const controller = new AbortController();
  const follow = () => controller.abort(signal?.reason);
  if (signal?.aborted) follow();
  signal?.addEventListener("abort", follow, { once: true });
  return {
    controller,
    end() {
      signal?.removeEventListener("abort", follow);
      forgetSignal(controller.signal);
    },
  };
}

/** An answer's chunks, until they end or the worker does. */
export function trackedIterator<T>(
  inner: AsyncIterator<T, undefined>,
  calls: PendingCalls,
  onEnd: () => void,
): AsyncIterator<T, undefined> {
  const track = async (pulled: Promise<IteratorResult<T, undefined>>) => {
    try {
      const result = await calls.track(pulled);
      if (result.done) onEnd();
      return result;
    } catch (error) {
      onEnd();
      throw error;
    }
  };
  return {
    next: () => track(inner.next()),
    return: () => track(inner.return?.() ?? Promise.resolve({ done: true, value: undefined })),
  };
}

/** What cannot be cloned cannot be JSON either. */
export function explainCloning(error: unknown): never {
  if (error instanceof DOMException && error.name === "DataCloneError")
    throw new EngineError("invalid_request", `The request holds something that is not plain data: ${error.message}`, {
      wireCode: "invalid_type",
      cause: error,
    });
  throw error;
}
