// One model's desk in the scheduler: requests are admitted in order of arrival while there are sequences for them, and from
// then on share steps. Decode rows go together, segments of prompts in between. When pages of keys and values run out, the
// latest lane gives its own away and is fed again later, token for token as before.
import type { Tier } from "../api/request.ts";
import { abortedError, isEngineError, throwIfAborted } from "../base/errors.ts";
import { invariant } from "../base/invariant.ts";
import { PendingCalls } from "../base/pending.ts";
import { untilAbort } from "../base/until-abort.ts";
import type { PrefixMatch, RowResult, Runtime, SequenceId, StepBatch } from "../runtime/runtime.ts";
import { createSampler } from "../sampling/sampler.ts";
import { createLane, createTrack, inTurn, type Lane, type LaneKeeper, type NextRow, type Track } from "./lane.ts";
import { makeRoom, resumeOne } from "./memory-pressure.ts";
import { nextRows, readyTracks, rowOf, withoutDrafts } from "./next-rows.ts";
import { createTurnstile } from "./turnstile.ts";

/** A step that takes longer than this is reported as stalled; it may still end. */
const STALL_MS = 20_000;

export interface Stall {
  readonly stage: StepBatch["stage"];
  readonly waitedMs: number;
}

export interface LaneRequest {
  readonly prompt: Int32Array;
  readonly tier: Tier;
  /** How many lanes it could use; it gets no more than the runtime has sequences and rows in a step. */
  readonly wanted: number;
  /** Absent: nothing that is held already is used, and what this request computes is not for others. */
  readonly search?: PrefixMatch;
}

/** One request's lanes. */
export interface Lanes {
  /** How many there may be, `first` included. */
  readonly width: number;
  /** Tokens of the prompt that need no prefill. */
  readonly cachedTokens: number;
  readonly first: Lane;
  /** A lane that holds what `first` holds: after its prefill, before its first decode. */
  fork(): Promise<Lane>;
  /** Waits for something else than a step. @throws EngineError `aborted`, or what ended the desk */
  wait(reason: Promise<unknown>): Promise<void>;
  /** Frees all that is still held. Has to be called, once. */
  release(): void;
}

export interface Desk {
  /** No lane is open. */
  readonly idle: boolean;
  /** The lane that is next to have a step; undefined when none waits. */
  readonly next: { readonly tier: Tier; readonly ticket: number } | undefined;
  /** As Scheduler.admit. */
  admit(request: LaneRequest, signal: AbortSignal): Promise<Lanes>;
  /** Computes the next step and hands out what it brings. Never rejects: what fails are the lanes in it. */
  step(): Promise<void>;
  stop(error: unknown): void;
}

export interface DeskEvents {
  readonly onStall: (stall: Stall) => void;
  /** A lane waits for a step. */
  readonly onWork: (desk: Desk) => void;
}

let arrivals = 0;
let tickets = 0;

export function createDesk(runtime: Runtime, { onStall, onWork }: DeskEvents): Desk {
  const { maxRows, maxSequences } = runtime.info;
  const turnstile = createTurnstile(maxSequences);
  const calls = new PendingCalls();
  const tracks = new Set<Track>();
  let stopped: { readonly error: unknown } | undefined;
  let lastStage: StepBatch["stage"] = "decode";

  const keeper: LaneKeeper = {
    sampler: createSampler(runtime.info.vocabSize),
    newTicket: () => tickets++,
    stopped: () => stopped,
    untilStopped: (promise) => calls.track(promise),
    wake: () => onWork(desk),
    memoryEased() {
      if (resumeOne(tracks)) onWork(desk);
    },
    released(track) {
      tracks.delete(track);
      turnstile.leave(1);
      keeper.memoryEased();
    },
  };

  function throwIfStopped(): void {
    if (stopped) throw stopped.error;
  }

  async function compute(rows: readonly NextRow[]): Promise<readonly RowResult[]> {
    const stage = rows[0]!.stage;
    lastStage = stage;
    const start = performance.now();
    const watchdog = setTimeout(() => onStall({ stage, waitedMs: performance.now() - start }), STALL_MS);
    try {
      // A lane's abort ends only a step that is for it alone.
      const signal = rows.length === 1 ? rows[0]!.track.signal : undefined;
      const result = await calls.track(runtime.step({ stage, rows: rows.map(rowOf) }, signal));
      return result.rows;
    } finally {
      clearTimeout(watchdog);
    }
  }

  /** A step; what comes back is to be tried again, without the lane that gave its memory for it. */
  async function attempt(rows: readonly NextRow[]): Promise<readonly NextRow[]> {
    try {
      const results = await compute(rows);
      rows.forEach((row, index) => {
        settle(row, results[index]!);
      });
      return [];
    } catch (error) {
      const short = isEngineError(error, "out_of_memory");
      const fewer = short && withoutDrafts(rows); // nobody gives memory away for a guess
      if (fewer) return fewer;
      // Nobody where none is left to give, or where the runtime no longer works.
      const yielded = short ? await calls.track(makeRoom(tracks, rows)).catch(() => undefined) : undefined;
      // It may be resumed already, but what it was to be fed has changed.
      if (yielded) return rows.filter(({ track }) => track !== yielded);
      for (const { track } of rows) track.waiting?.reject(error);
      return [];
    }
  }

  function settle({ track, ids, last, draft }: NextRow, result: RowResult): void {
    const { logits = [], tokens, fault } = result;
    const from = track.held;
    track.held += ids.length + draft.length;
    const { waiting, signal, onLogits } = track;
    if (!waiting) return; // the desk was stopped
    if (signal.aborted) {
      waiting.reject(abortedError(signal));
      return;
    }
    if (from < track.prompt.length) onLogits?.(logits, from);
    waiting.ticket = tickets++;
    if (!last) return;
    track.onLogits = undefined; // a prompt that is fed again has been seen
    invariant(tokens || fault || logits.length > draft.length, "the runtime gave less than a row wanted");
    waiting.resolve(result);
  }

  async function openLanes({ prompt, search, tier }: LaneRequest, width: number, signal: AbortSignal): Promise<Lanes> {
    const arrival = arrivals++;
    const found = search ? await calls.track(runtime.match(prompt, search)) : { sequence: runtime.open(), length: 0 };
    const lanes: Lane[] = [];
    const own: Track[] = [];
    // One listener for all: a signal with many is taken for a leak.
    const onAbort = () => {
      for (const { interrupt } of own) interrupt?.();
    };
    signal.addEventListener("abort", onAbort, { once: true });
    const add = (sequence: SequenceId, held: number, shared: number) => {
      const track = createTrack({
        runtime,
        signal,
        tier,
        arrival,
        place: lanes.length,
        sequence,
        prompt,
        held,
        shared,
      });
      tracks.add(track);
      own.push(track);
      const lane = createLane(track, keeper);
      lanes.push(lane);
      return { track, lane };
    };
    const first = add(found.sequence, found.length, 0);
    return {
      width,
      cachedTokens: found.length,
      first: first.lane,
      async fork() {
        const { track } = first;
        invariant(lanes.length < width, `a request of ${width} lanes forks no more`);
        invariant(track.decoded.length === 0, "lanes fork at the end of the prompt");
        const forking = inTurn(track, async () => {
          const { held } = track;
          const forked = await runtime.fork(track.sequence);
          track.shared = held - (held % runtime.info.pageLength);
          return { forked, held };
        });
        const { forked, held } = await calls.track(forking);
        return add(forked, held, track.shared).lane;
      },
      async wait(reason) {
        await calls.track(untilAbort(reason, signal));
      },
      release() {
        signal.removeEventListener("abort", onAbort);
        for (const lane of lanes) lane.release();
        turnstile.leave(width - lanes.length); // those that were never forked
      },
    };
  }

  const desk: Desk = {
    get idle() {
      return tracks.size === 0;
    },
    get next() {
      const [first] = readyTracks(tracks);
      return first && { tier: first.tier, ticket: first.waiting!.ticket };
    },
    async admit(request, signal) {
      throwIfStopped();
      const width = Math.min(request.wanted, maxSequences, maxRows.decode);
      await turnstile.enter(width, request.tier, signal);
      try {
        // Both may have come in the moment between the turn and now.
        throwIfStopped();
        throwIfAborted(signal);
        return await openLanes(request, width, signal);
      } catch (error) {
        turnstile.leave(width);
        throw error;
      }
    },
    async step() {
      let rows: readonly NextRow[] = nextRows(readyTracks(tracks), lastStage, maxRows.decode);
      const stepping = rows.map(({ track }) => track);
      for (const track of stepping) track.stepping = true;
      while (rows.length > 0) rows = await attempt(rows);
      for (const track of stepping) {
        track.stepping = false;
        // An abort was left to the end of the step, which a lane that gave way has not seen.
        if (track.signal.aborted) track.interrupt?.();
      }
    },
    stop(error) {
      stopped ??= { error };
      calls.fail(error);
      turnstile.close(error);
      for (const { waiting } of tracks) waiting?.reject(error);
    },
  };
  return desk;
}
