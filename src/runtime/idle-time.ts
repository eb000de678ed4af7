// When nothing is asked of a runtime, and its lending meanwhile to work that can wait.
import { throwIfAborted } from "../base/errors.ts";
import type { Turns } from "../base/turns.ts";
import { sleep } from "../base/until-abort.ts";

export interface IdleTime {
  /** For as long as `work` goes on the runtime is not idle. */
  busy<T>(work: () => Promise<T>): Promise<T>;
  /**
   * Does `work` when nothing has been asked for IDLE_MS, in a turn of its own: who asks meanwhile waits for its end.
   * @throws EngineError `aborted`, and what `work` throws
   */
  run<T>(work: () => Promise<T>): Promise<T>;
}

/** Tokens of an answer come much closer together, whoever samples them; between questions a person takes longer. */
export const IDLE_MS = 500;

/** @param turns those of the runtime's steps */
export function createIdleTime(turns: Turns, signal: AbortSignal): IdleTime {
  let asked = 0;
  let lastAsked = performance.now();
  const missingMs = () => (asked > 0 ? IDLE_MS : lastAsked + IDLE_MS - performance.now());
  return {
    async busy(work) {
      asked++;
      try {
        return await work();
      } finally {
        asked--;
        lastAsked = performance.now();
      }
    },
    async run(work) {
      for (;;) {
        throwIfAborted(signal);
        const missing = missingMs();
        if (missing > 0) {
          await sleep(missing, signal);
          continue;
        }
        const leave = await turns.enter();
        try {
          throwIfAborted(signal);
          if (missingMs() <= 0) return await work();
        } finally {
          leave();
        }
      }
    },
  };
}
