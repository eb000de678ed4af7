// Waiting: between attempts, for a turn, and no longer than the caller wants to.

import { abortedError, throwIfAborted } from "../base/errors.ts";

export type Sleep = (ms: number, signal?: AbortSignal) => Promise<void>;

/** Resolves after `ms`, rejects with `aborted` when the signal fires before. */
export const sleep: Sleep = (ms, signal) => untilAborted(new Promise((done) => setTimeout(done, ms)), signal);

/** Half a second, then twice as long each time, at most 8 s, spread by up to a quarter so that tabs do not march in step. */
export function backoffMs(failures: number): number {
  return Math.min(8000, 250 * 2 ** failures) * (1 + Math.random() / 4);
}

/** The promise's outcome, or `aborted` as soon as the signal fires; the promise itself goes on. */
export async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  throwIfAborted(signal);
  if (!signal) return promise;
  let stop = () => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(abortedError(signal));
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** Lets at most `width` tasks run at a time; the others wait in order. */
export function createGate(width: number): <T>(task: () => Promise<T>) => Promise<T> {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (task) => {
    if (running >= width) await new Promise<void>((enter) => waiting.push(enter));
    else running++;
    try {
      return await task();
    } finally {
      const next = waiting.shift(); // who waits takes over the place
      if (next) next();
      else running--;
    }
  };
}
