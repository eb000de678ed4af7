// When nothing is asked of a device, and its lending meanwhile to work that can wait.
import { throwIfAborted } from "../base/errors.ts";
import type { Turns } from "../base/turns.ts";
import { sleep } from "../base/until-abort.ts";
import type { Device } from "../gpu/device.ts";

export interface IdleTime {
  /** For as long as `work` goes on the device is not idle. */
  busy<T>(work: () => Promise<T>): Promise<T>;
  /**
   * Does `work` when nothing has been asked for IDLE_MS, in a turn of its own: who wants one meanwhile waits for its end.
   * @throws EngineError `aborted`, and what `work` throws
   */
  run<T>(turns: Turns, work: () => Promise<T>, signal: AbortSignal): Promise<T>;
}

/** Tokens of an answer come much closer together, whoever samples them; between questions a person takes longer. */
export const IDLE_MS = 500;

const times = new WeakMap<Device, IdleTime>();

/** That of all runtimes on a device: they share its time. */
export function idleTimeOf(device: Device): IdleTime {
  let time = times.get(device);
  if (!time) {
    time = createIdleTime();
    times.set(device, time);
  }
  return time;
}

export function createIdleTime(): IdleTime {
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
    async run(turns, work, signal) {
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
