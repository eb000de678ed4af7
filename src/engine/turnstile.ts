// Lets requests in, in order of arrival, while there are sequences for them.
import { abortedError } from "../base/errors.ts";

export interface Turnstile {
  /**
   * Resolves when `count` sequences are this caller's. The first in line waits until all of its own are free, and
   * whoever comes later waits behind it.
   * @throws EngineError `aborted`; whatever `close` was called with
   */
  enter(count: number, signal: AbortSignal): Promise<void>;
  /** Gives sequences back. */
  leave(count: number): void;
  /** Refuses all who wait. */
  close(error: unknown): void;
}

interface Entry {
  readonly count: number;
  readonly pass: () => void;
  readonly refuse: (error: unknown) => void;
}

/** @param places sequences in all; nobody may ask for more */
export function createTurnstile(places: number): Turnstile {
  let line: Entry[] = [];
  let taken = 0;

  function admit(): void {
    for (let next = line[0]; next && taken + next.count <= places; next = line[0]) {
      line.shift();
      taken += next.count;
      next.pass();
    }
  }

  return {
    enter(count, signal) {
      return new Promise((resolve, reject) => {
        const onAbort = () => {
          line = line.filter((other) => other !== entry);
          reject(abortedError(signal));
          admit(); // those behind may have waited for this one alone
        };
        const settled = <Args extends unknown[]>(settle: (...args: Args) => void) => {
          return (...args: Args) => {
            signal.removeEventListener("abort", onAbort);
            settle(...args);
          };
        };
        const entry: Entry = { count, pass: settled(() => resolve()), refuse: settled(reject) };
        if (signal.aborted) return reject(abortedError(signal));
        signal.addEventListener("abort", onAbort, { once: true });
        line.push(entry);
        admit();
      });
    },
    leave(count) {
      taken -= count;
      admit();
    },
    close(error) {
      for (const { refuse } of line.splice(0)) refuse(error);
    },
  };
}
