// Who may step: requests are admitted in order of arrival, one runs at a time, and each drives the runtime through its lane.
// A lane hides what else is going on, so that batching several of them into one step will change this file alone.
import { abortedError, throwIfAborted } from "../base/errors.ts";
import { nextTask } from "../base/event-loop.ts";
import { invariant } from "../base/invariant.ts";
import { PendingCalls } from "../base/pending.ts";
import type { Row, Runtime, SequenceId, StepBatch } from "../runtime/runtime.ts";
import type { SamplingPlan } from "../sampling/plan.ts";
import { createSampler, type Sampled, type TokenHistory } from "../sampling/sampler.ts";

/** A step that takes longer than this is reported as stalled; it may still end. */
const STALL_MS = 20_000;

export interface Stall {
  readonly stage: StepBatch["stage"];
  readonly waitedMs: number;
}

/** One admitted request's way to the runtime. It owns a sequence. */
export interface Lane {
  /** Appends the prompt, in segments, and samples the token after it. */
  prefill(ids: Int32Array, plan: SamplingPlan, history: TokenHistory): Promise<Sampled>;
  /** Appends one token and samples the next. */
  decode(id: number, plan: SamplingPlan, history: TokenHistory): Promise<Sampled>;
  /** Lets others run until `reason` settles or the signal fires. The sequence stays. */
  park(reason: Promise<unknown>): Promise<void>;
  /** Frees the sequence and lets the next request run. Has to be called, once; later calls do nothing. */
  release(): void;
}

export interface Scheduler {
  /** A lane, when it is this request's turn. @throws EngineError `aborted`, or what `stop` was called with */
  admit(signal: AbortSignal): Promise<Lane>;
  /** Ends every request, waiting or running, and refuses later ones, with `error`. */
  stop(error: unknown): void;
  /** Requests that run, are parked, or wait. */
  readonly size: number;
}

interface Turn {
  readonly arrival: number;
  /** Parked lanes hold a sequence already; new requests need one of `maxSequences`. */
  readonly needsSequence: boolean;
  take(): void;
}

export function createScheduler(runtime: Runtime, onStall: (stall: Stall) => void = () => {}): Scheduler {
  const calls = new PendingCalls();
  const sampler = createSampler(runtime.info.vocabSize);
  let waiting: Turn[] = [];
  let stopped: { error: unknown } | undefined;
  let running = false;
  let arrivals = 0;
  let openSequences = 0;

  /** The earliest arrival among those that can run now. */
  function dispatch(): void {
    if (running) return;
    const next = waiting
      .filter(({ needsSequence }) => !needsSequence || openSequences < runtime.info.maxSequences)
      .sort((a, b) => a.arrival - b.arrival)[0];
    if (!next) return;
    waiting = waiting.filter((turn) => turn !== next);
    running = true;
    next.take();
  }

  async function takeTurn(arrival: number, needsSequence: boolean, signal: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    let leave = () => {};
    const turn = new Promise<void>((resolve, reject) => {
      const entry = { arrival, needsSequence, take: resolve };
      leave = () => {
        waiting = waiting.filter((other) => other !== entry);
        reject(abortedError(signal));
      };
      waiting.push(entry);
    });
    signal.addEventListener("abort", leave, { once: true });
    dispatch();
    try {
      await calls.track(turn);
    } finally {
      signal.removeEventListener("abort", leave);
    }
  }

  function endTurn(): void {
    invariant(running, "a turn ended that nobody had");
    running = false;
    dispatch();
  }

  /** One step of one row. Nothing is submitted once an abort, a loss or the end has been seen. */
  async function step(stage: StepBatch["stage"], row: Row, signal: AbortSignal): Promise<Float32Array | undefined> {
    await nextTask();
    throwIfAborted(signal);
    if (stopped) throw stopped.error;
    const start = performance.now();
    const watchdog = setTimeout(() => onStall({ stage, waitedMs: performance.now() - start }), STALL_MS);
    try {
      const { rows } = await calls.track(runtime.step({ stage, rows: [row] }, signal));
      return rows[0]?.logits?.[0];
    } finally {
      clearTimeout(watchdog);
    }
  }

  function createLane(arrival: number, sequence: SequenceId, signal: AbortSignal): Lane {
    let hasTurn = true;
    let released = false;

    async function sampleAfter(
      stage: StepBatch["stage"],
      ids: ArrayLike<number>,
      plan: SamplingPlan,
      history: TokenHistory,
    ) {
      const logits = await step(stage, { sequence, input: { ids }, want: { logits: true, at: "last" } }, signal);
      invariant(logits, "the runtime gave no logits for a row that wanted them");
      return sampler.sample(logits, plan, history);
    }

    return {
      async prefill(ids, plan, history) {
        const segmentLength = runtime.info.maxRows.prefill;
        const lastStart = Math.floor((ids.length - 1) / segmentLength) * segmentLength;
        for (let start = 0; start < lastStart; start += segmentLength) {
          const segment = ids.subarray(start, start + segmentLength);
          await step("prefill", { sequence, input: { ids: segment }, want: "none" }, signal);
        }
        return sampleAfter("prefill", ids.subarray(lastStart), plan, history);
      },
      decode: (id, plan, history) => sampleAfter("decode", [id], plan, history),
      async park(reason) {
        hasTurn = false;
        endTurn();
        await calls.track(untilAbort(reason, signal));
        await takeTurn(arrival, false, signal);
        hasTurn = true;
      },
      release() {
        if (released) return;
        released = true;
        openSequences--;
        runtime.free(sequence);
        if (hasTurn) endTurn();
        else dispatch();
      },
    };
  }

  return {
    get size() {
      return waiting.filter(({ needsSequence }) => needsSequence).length + openSequences;
    },
    async admit(signal) {
      throwIfAborted(signal);
      if (stopped) throw stopped.error;
      const arrival = arrivals++;
      await takeTurn(arrival, true, signal);
      try {
        throwIfAborted(signal); // it may have fired in the moment between the turn and now
        const sequence = runtime.open();
        openSequences++;
        return createLane(arrival, sequence, signal);
      } catch (error) {
        endTurn();
        throw error;
      }
    },
    stop(error) {
      stopped ??= { error };
      waiting = [];
      calls.fail(error);
    },
  };
}

/** Settles with `reason`, or when the signal fires: the next step then throws. */
function untilAbort(reason: Promise<unknown>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      signal.removeEventListener("abort", done);
      resolve();
    };
    if (signal.aborted) return resolve();
    signal.addEventListener("abort", done, { once: true });
    reason.then(done, done);
  });
}
