// One model's desk in the scheduler: requests are admitted in order of arrival while there are sequences for them, and from
// then on share steps. Decode rows go together, segments of prompts in between. When pages of keys and values run out, the
// latest lane gives its own away and is fed again later, token for token as before; when the runtime is lost, all lanes are,
// by the next one.
import type { Tier } from "../api/request.ts";
import { EngineError, throwIfAborted } from "../base/errors.ts";
import { PendingCalls } from "../base/pending.ts";
import type { Meanwhile, Runtime } from "../runtime/runtime.ts";
import { createSampler } from "../sampling/sampler.ts";
import { createDeskSteps } from "./desk-steps.ts";
import { forget, inTurn, type NextRow, type Track } from "./lane.ts";
import { type LaneRequest, type Lanes, type LanesKeeper, openLanes, openSequence } from "./lanes.ts";
import { resumeOne } from "./memory-pressure.ts";
import { decodeRowsOf, decodingBeside, nextRows, readyTracks } from "./next-rows.ts";
import { createRuntimeSlot } from "./runtime-slot.ts";
import { createSegments } from "./segments.ts";
import { type Stall, watchStall } from "./stall.ts";
import { createTurnstile } from "./turnstile.ts";

/** A lane that loses more runtimes than this while it waits for one token may be what breaks them. */
const MAX_LOSSES = 2;

export interface Desk {
  /** No lane is open. */
  readonly idle: boolean;
  /** The lane that is next to have a step; undefined when none waits, or there is no runtime. */
  readonly next: { readonly tier: Tier; readonly ticket: number } | undefined;
  /** As Scheduler.admit. */
  admit(request: LaneRequest, signal: AbortSignal): Promise<Lanes>;
  /** As `next`, of those that wait for a token and are of no lower tier. */
  nextDecode(tier: Tier): Desk["next"];
  /** How long a decode step takes, by the latest ones; 0 before the first. */
  readonly decodeMs: number;
  /**
   * Computes the next step and hands out what it brings. Never rejects: what fails are the lanes in it.
   * @param meanwhile who gets steps between the parts of a prompt
   * @param alone it is still the desk to have the next step
   */
  step(meanwhile: (tier: Tier) => Meanwhile | undefined, alone: () => boolean): Promise<void>;
  /** A decode step of the lanes of no lower tier, while a prompt is computed; as `step`. */
  decode(tier: Tier): Promise<void>;
  /** The runtime is lost. `ask` is called whenever a lane waits for another one, which `renew` brings. */
  suspend(ask: () => void): void;
  renew(runtime: Runtime): void;
  stop(error: unknown): void;
}

export interface DeskEvents {
  readonly onStall: (stall: Stall) => void;
  /** A lane waits for a step. */
  readonly onWork: (desk: Desk) => void;
  /** A call found the runtime lost before it said so itself: `suspend` or `stop` has to be called at once. */
  readonly onLost: (runtime: Runtime, error: EngineError<"device_lost">) => void;
}

let tickets = 0;

/** @param first its `info` is that of all that come after it */
export function createDesk(first: Runtime, { onStall, onWork, onLost }: DeskEvents): Desk {
  const { info } = first;
  const { maxRows, maxSequences } = info;
  const turnstile = createTurnstile(maxSequences);
  const slot = createRuntimeSlot(first, onLost);
  const waits = new PendingCalls();
  const tracks = new Set<Track>();
  let stopped: { readonly error: unknown } | undefined;
  let askForRuntime = () => {};
  /** Set while a lane waits for a runtime. */
  let endWatch: (() => void) | undefined;

  const newTicket = () => tickets++;
  const segments = createSegments(maxRows.prefill);
  const steps = createDeskSteps(slot, tracks, segments, info.stepsInFlight, newTicket, onStall);
  const keeper: LanesKeeper = {
    info,
    sampler: createSampler(info.vocabSize),
    newTicket,
    stopped: () => stopped,
    untilStopped: (promise) => waits.track(promise),
    call: (work) => slot.call(work),
    wake() {
      if (slot.current) onWork(desk);
      else askAndWatch();
    },
    memoryEased() {
      if (resumeOne(tracks)) onWork(desk);
    },
    opened: (track) => void tracks.add(track),
    spared: (count) => turnstile.leave(count),
    released(track) {
      tracks.delete(track);
      turnstile.leave(1);
      keeper.memoryEased();
    },
  };

  function throwIfStopped(): void {
    if (stopped) throw stopped.error;
  }

  function askAndWatch(): void {
    endWatch ??= watchStall("load", onStall);
    askForRuntime();
  }

  function unwatch(): void {
    endWatch?.();
    endWatch = undefined;
  }

  /** The rows of the next step, each of a lane that has a sequence. */
  async function openRows(): Promise<readonly NextRow[]> {
    for (;;) {
      const rows = nextRows(readyTracks(tracks), steps.lastStage, { ...maxRows, prefill: segments.rows });
      const homeless = rows.find(({ track }) => track.home?.runtime !== slot.current)?.track;
      if (!homeless) return rows;
      await reopen(homeless);
      if (!slot.current) return [];
    }
  }

  async function reopen(track: Track): Promise<void> {
    try {
      await slot.call((runtime) =>
        inTurn(track, async () => {
          const { home, held } = await openSequence(runtime, track);
          if (slot.current === runtime) Object.assign(track, { home, held, shared: 0 });
        }),
      );
    } catch (error) {
      track.waiting?.reject(error);
    }
  }

  function nextOf([first]: readonly Track[]): Desk["next"] {
    return slot.current && first && { tier: first.tier, ticket: first.waiting!.ticket };
  }

  const desk: Desk = {
    get idle() {
      return tracks.size === 0;
    },
    get next() {
      return nextOf(readyTracks(tracks));
    },
    async admit(request, signal) {
      throwIfStopped();
      const width = Math.min(request.wanted, maxSequences, maxRows.decode);
      await turnstile.enter(width, request.tier, signal);
      try {
        // Both may have come in the moment between the turn and now.
        throwIfStopped();
        throwIfAborted(signal);
        return await openLanes(request, width, signal, keeper);
      } catch (error) {
        turnstile.leave(width);
        throw error;
      }
    },
    nextDecode: (tier) => nextOf(decodingBeside(readyTracks(tracks), tier)),
    get decodeMs() {
      return steps.decodeMs;
    },
    async step(meanwhile, alone) {
      const rows = await openRows();
      const [first] = rows;
      const inStep = (track: Track) => rows.some((row) => row.track === track);
      const quiet = () => alone() && readyTracks(tracks).every(inStep);
      await steps.carryOut(rows, first?.stage === "prefill" ? meanwhile(first.track.tier) : undefined, quiet);
    },
    decode: (tier) => steps.carryOut(decodeRowsOf(decodingBeside(readyTracks(tracks), tier), maxRows.decode)),
    suspend(ask) {
      askForRuntime = ask;
      slot.empty();
      for (const track of tracks) {
        forget(track);
        if (track.waiting && ++track.losses > MAX_LOSSES) track.waiting.reject(lostTooOften(track.losses));
      }
      if ([...tracks].some(({ waiting }) => waiting)) askAndWatch();
    },
    renew(runtime) {
      unwatch();
      slot.fill(runtime);
      onWork(desk);
    },
    stop(error) {
      stopped ??= { error };
      unwatch();
      slot.close(error);
      waits.fail(error);
      turnstile.close(error);
      for (const { waiting } of tracks) waiting?.reject(error);
    },
  };
  return desk;
}

function lostTooOften(losses: number): EngineError<"device_lost"> {
  return new EngineError(
    "device_lost",
    `The GPU was lost ${losses} times before this answer's next token. Ask for less at once, or try a smaller model.`,
  );
}
