// Lets requests in while there are sequences for them: tier by tier, each in order of arrival. The line of a tier is bounded.
import type { Tier } from "../api/request.ts";
import { abortedError, EngineError } from "../base/errors.ts";
import { byTier } from "./tiers.ts";

/** Far more than a page has open; a server with that many waiting does better to say so. */
const MAX_WAITING = 64;

export interface Turnstile {
  /**
   * Resolves when `count` sequences are this caller's. The first in line waits until all of its own are free, and
   * whoever comes later waits behind it.
   * @throws EngineError `rate_limit_exceeded` when too many of its tier wait, `aborted`; whatever `close` was called with
   */
  enter(count: number, tier: Tier, signal: AbortSignal): Promise<void>;
  /** Gives sequences back. */
  leave(count: number): void;
  /** Refuses all who wait. */
  close(error: unknown): void;
}

interface Entry {
  readonly count: number;
  readonly tier: Tier;
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
    enter(count, tier, signal) {
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
        const entry: Entry = { count, tier, pass: settled(() => resolve()), refuse: settled(reject) };
        if (signal.aborted) return reject(abortedError(signal));
        signal.addEventListener("abort", onAbort, { once: true });
        line.push(entry);
        line.sort((a, b) => byTier(a.tier, b.tier)); // stable: arrival decides within a tier
        admit();
        const waiting = line.filter((other) => other.tier === tier);
        if (waiting.length > MAX_WAITING) {
          line = line.filter((other) => other !== entry);
          entry.refuse(crowded(MAX_WAITING, tier));
        }
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

function crowded(count: number, tier: Tier): EngineError<"rate_limit_exceeded"> {
  return new EngineError(
    "rate_limit_exceeded",
    `${count} requests of the tier '${tier}' are waiting already, and no more may. Try again when some of them have ended.`,
  );
}
