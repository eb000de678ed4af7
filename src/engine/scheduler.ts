// Who steps when: all admitted requests run at once, and models take turns, step by step. What one model's step is made of
// is its desk's affair.
import type { Tier } from "../api/request.ts";
import { throwIfAborted } from "../base/errors.ts";
import { nextTask } from "../base/event-loop.ts";
import type { Meanwhile, Runtime } from "../runtime/runtime.ts";
import { createDesk, type Desk, type DeskEvents } from "./desk.ts";
import type { LaneRequest, Lanes } from "./lanes.ts";
import { byTier } from "./tiers.ts";

export interface Scheduler {
  /**
   * Lanes for one request, when it is its turn.
   * @throws EngineError `aborted`, or what `stop` was called with
   */
  admit(runtime: Runtime, request: LaneRequest, signal: AbortSignal): Promise<Lanes>;
  /**
   * The runtime is lost: its requests wait, those to come with them, and `ask` is called whenever one of them needs another
   * runtime to go on. One that has lost three without a token between ends with `device_lost`.
   */
  suspend(runtime: Runtime, ask: () => void): void;
  /** The requests of `lost` go on with `next`, which is fed again what that held; it has to compute the same bits. */
  renew(lost: Runtime, next: Runtime): void;
  /** Ends every request of a runtime, waiting or running, and refuses later ones, with `error`. */
  stop(runtime: Runtime, error: unknown): void;
}

export function createScheduler({ onStall, onLost }: Pick<DeskEvents, "onStall" | "onLost">): Scheduler {
  /** A desk outlives its runtime. */
  const desks = new WeakMap<Runtime, Desk>();
  /** Those that have lanes. */
  const busy = new Set<Desk>();
  let running = false;

  function deskOf(runtime: Runtime): Desk {
    const desk = desks.get(runtime) ?? createDesk(runtime, { onStall, onLost, onWork: (self) => void run(self) });
    desks.set(runtime, desk);
    return desk;
  }

  async function run(desk: Desk): Promise<void> {
    busy.add(desk);
    if (running) return;
    running = true;
    for (;;) {
      // Whatever the last step set off has asked for its next step by then, and aborts have been seen.
      await nextTask();
      const next = nextDesk();
      if (!next) break;
      await next.step(meanwhile, () => nextDesk() === next);
    }
    running = false;
  }

  /** The desk of the highest tier, then of the longest waiting. */
  function nextDesk(): Desk | undefined {
    for (const desk of busy) if (desk.idle) busy.delete(desk);
    return firstOf((desk) => desk.next);
  }

  function firstOf(nextOf: (desk: Desk) => Desk["next"]): Desk | undefined {
    const waiting = [...busy].flatMap((desk) => {
      const next = nextOf(desk);
      return next ? [{ desk, ...next }] : [];
    });
    waiting.sort((a, b) => byTier(a.tier, b.tier) || a.ticket - b.ticket);
    return waiting[0]?.desk;
  }

  /** Those of no lower tier that wait for a token while a prompt is computed: they get one between its parts. */
  function meanwhile(tier: Tier): Meanwhile | undefined {
    const first = nextDecoding(tier);
    if (!first) return undefined;
    return {
      patienceMs: first.decodeMs,
      async run() {
        await nextTask(); // as in `run`
        await nextDecoding(tier)?.decode(tier);
      },
    };
  }

  function nextDecoding(tier: Tier): Desk | undefined {
    return firstOf((desk) => desk.nextDecode(tier));
  }

  return {
    async admit(runtime, request, signal) {
      throwIfAborted(signal);
      return deskOf(runtime).admit(request, signal);
    },
    suspend(runtime, ask) {
      deskOf(runtime).suspend(ask);
    },
    renew(lost, next) {
      const desk = deskOf(lost);
      desks.set(next, desk);
      desk.renew(next);
    },
    stop(runtime, error) {
      deskOf(runtime).stop(error);
    },
  };
}
