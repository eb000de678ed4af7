// The lanes of one request: the first is opened when the request is admitted, the others fork off it at the end of the prompt.
import type { Tier } from "../api/request.ts";
import { invariant } from "../base/invariant.ts";
import { untilAbort } from "../base/until-abort.ts";
import type { PrefixMatch, Runtime, RuntimeInfo } from "../runtime/runtime.ts";
import { createLane, createTrack, type Home, inTurn, type Lane, type LaneKeeper, type Track } from "./lane.ts";

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

/** What a request's lanes ask of their desk. */
export interface LanesKeeper extends LaneKeeper {
  readonly info: RuntimeInfo;
  opened(track: Track): void;
  /** So many of the request's lanes will never be opened. */
  spared(count: number): void;
}

/** A sequence, and how much of the track's prompt it holds already. */
export interface Opened {
  readonly home: Home;
  readonly held: number;
}

/** @throws EngineError as Runtime.open */
export async function openSequence(
  runtime: Runtime,
  { prompt, search }: Pick<Track, "prompt" | "search">,
): Promise<Opened> {
  if (!search) return { home: { runtime, sequence: runtime.open() }, held: 0 };
  const { sequence, length } = await runtime.match(prompt, search);
  return { home: { runtime, sequence }, held: length };
}

let arrivals = 0;

/** Opens the first lane; without a runtime, it will have a sequence when there is one. */
export async function openLanes(
  request: LaneRequest,
  width: number,
  signal: AbortSignal,
  keeper: LanesKeeper,
): Promise<Lanes> {
  const { prompt, search, tier } = request;
  const arrival = arrivals++;
  const opened = await keeper.call((runtime) => openSequence(runtime, { prompt, search }));
  const lanes: Lane[] = [];
  const own: Track[] = [];
  // One listener for all: a signal with many is taken for a leak.
  const onAbort = () => {
    for (const { interrupt } of own) interrupt?.();
  };
  signal.addEventListener("abort", onAbort, { once: true });
  const add = (begun: Pick<Track, "home" | "held" | "shared">) => {
    const { info } = keeper;
    const track = createTrack({ info, signal, tier, arrival, place: lanes.length, prompt, search, ...begun });
    keeper.opened(track);
    own.push(track);
    const lane = createLane(track, keeper);
    lanes.push(lane);
    return { track, lane };
  };
  const first = add({ home: opened?.home, held: opened?.held ?? 0, shared: 0 });
  return {
    width,
    cachedTokens: first.track.held,
    first: first.lane,
    async fork() {
      const { track } = first;
      invariant(lanes.length < width, `a request of ${width} lanes forks no more`);
      invariant(track.decoded.length === 0, "lanes fork at the end of the prompt");
      const forked = await keeper.call((runtime) => inTurn(track, () => forkOf(track, runtime)));
      return add(forked ?? { home: undefined, held: 0, shared: 0 }).lane;
    },
    async wait(reason) {
      await keeper.untilStopped(untilAbort(reason, signal));
    },
    release() {
      signal.removeEventListener("abort", onAbort);
      for (const lane of lanes) lane.release();
      keeper.spared(width - lanes.length);
    },
  };
}

/** Undefined where there is nothing to fork, since the runtime that held it is lost. */
async function forkOf(track: Track, runtime: Runtime): Promise<Pick<Track, "home" | "held" | "shared"> | undefined> {
  const { home, held, info } = track;
  if (home?.runtime !== runtime) return undefined;
  const sequence = await runtime.fork(home.sequence);
  if (track.home !== home) return undefined;
  const shared = held - (held % info.pageLength);
  track.shared = shared;
  return { home: { runtime, sequence }, held, shared };
}
