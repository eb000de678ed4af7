// A stream of chunks as the `openai` package hands it out: an async iterable, read once, with the controller that ends it.
import { abortedError, EngineError } from "./errors.ts";

/**
 * Iterate it once with `for await`; leaving the loop early, or `controller.abort()`, ends the work behind it.
 * After an abort the iteration throws EngineError `aborted`: a cut answer never looks like a whole one.
 */
export interface ControlledStream<T> extends AsyncIterable<T> {
  readonly controller: AbortController;
}

/** A stream that was thrown away, read or unread, ends the work behind it: nobody is left to do so. */
const abandoned = new FinalizationRegistry<AsyncIterator<unknown, unknown>>((source) => {
  source.return?.().then(ignore, ignore);
});

/** Wraps `source`, whose `return()` ends the producer. An abort is seen at once, even while a value is being waited for. */
export function controlledStream<T>(
  source: AsyncIterator<T, unknown>,
  controller: AbortController,
): ControlledStream<T> {
  const { signal } = controller;
  let taken = false;
  let ended = false;

  /** Ends the producer; what goes wrong there no longer concerns the reader, who has had his answer. */
  const leave = () => source.return?.().then(ignore, ignore);

  const iterator: AsyncIterableIterator<T, undefined> = {
    next() {
      if (ended) return Promise.resolve({ done: true, value: undefined });
      return new Promise((resolve, reject) => {
        const finish = () => {
          ended = true;
          signal.removeEventListener("abort", onAbort);
        };
        const onAbort = () => {
          finish();
          void leave();
          reject(abortedError(signal));
        };
        if (signal.aborted) return onAbort();
        signal.addEventListener("abort", onAbort, { once: true });
        source.next().then(
          (result) => {
            signal.removeEventListener("abort", onAbort);
            if (!result.done) return resolve(result);
            finish();
            resolve({ done: true, value: undefined });
          },
          (error) => {
            finish();
            reject(error);
          },
        );
      });
    },
    async return() {
      if (!ended) {
        ended = true;
        await leave();
        controller.abort();
      }
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => iterator,
  };
  abandoned.register(iterator, source);

  return {
    controller,
    [Symbol.asyncIterator]() {
      if (taken)
        throw new EngineError("invalid_request", "This stream is already being read. Each stream is read once.");
      taken = true;
      return iterator;
    },
  };
}

function ignore(): void {}
