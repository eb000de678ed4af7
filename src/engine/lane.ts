// A lane: one sequence on its way through the runtime. It knows which ids the sequence is to hold and how many of them the
// runtime holds; the desk closes the gap, step by step, whether the ids are new or have to be fed again.
import type { Tier } from "../api/request.ts";
import { abortedError, throwIfAborted } from "../base/errors.ts";
import { invariant } from "../base/invariant.ts";
import { acceptDraft, historyAfter } from "../runtime/accept.ts";
import type { PrefixMatch, RowResult, Runtime, RuntimeInfo, SequenceId, StepBatch } from "../runtime/runtime.ts";
import type { SamplingPlan } from "../sampling/plan.ts";
import type { Sampled, Sampler } from "../sampling/sampler.ts";

/** Takes the raw logits after positions `from`, `from` + 1, … of the prompt. */
export type PromptLogits = (rows: readonly Float32Array[], from: number) => void;

/** What one step brought. */
export interface Decoded {
  /** The answer's next tokens, at least one: those of the draft that were right, and one more. */
  readonly sampled: readonly Sampled[];
  /** Tokens of the draft that were computed; the step may have had no room for all. */
  readonly drafted: number;
}

/** One answer's way to the runtime. */
export interface Lane {
  /** Most tokens of a draft that a step can take. */
  readonly draftRoom: number;
  /**
   * Takes in what is missing of the prompt, in segments. What comes back samples the token after it: once for each of the
   * choices that begin with this prompt.
   * @param onLogits gets the logits of every position; for a lane that began empty
   * @throws EngineError `aborted`, and whatever a step or the sampler throws, as `decode` does
   */
  prefill(onLogits?: PromptLogits): Promise<(plan: SamplingPlan) => Sampled>;
  /**
   * Appends one token and samples what follows.
   * @param draft tokens that may come after it: all that are right are sampled at once
   * @param left most tokens that may be wanted from here on; as many may be computed before they are asked for
   */
  decode(id: number, plan: SamplingPlan, draft: readonly number[], left: number): Promise<Decoded>;
  /** @throws EngineError `aborted` */
  throwIfAborted(): void;
  /** Back to the end of the prompt, for another answer to it. */
  rewind(): Promise<void>;
  /** Waits for `reason`, or for the signal; meanwhile others may take its memory. */
  park(reason: Promise<unknown>): Promise<void>;
  /** Frees the sequence. Has to be called; later calls do nothing. */
  release(): void;
}

/** Where a sequence is. */
export interface Home {
  readonly runtime: Runtime;
  readonly sequence: SequenceId;
}

/** A lane as its desk sees it. */
export interface Track {
  readonly info: RuntimeInfo;
  readonly signal: AbortSignal;
  readonly tier: Tier;
  /** When its request came: the earlier goes first, and the latest gives way when memory is short. */
  readonly arrival: number;
  /** Its place among the lanes of its request. */
  readonly place: number;
  /** On a runtime that is lost, or undefined: it has to be opened, and fed all its ids again. */
  home: Home | undefined;
  /** Under which its prompt may be found, as LaneRequest has it. */
  readonly search: PrefixMatch | undefined;
  /** How often it lost its runtime while it waited for the token that it waits for. */
  losses: number;
  /** Ids that are prefill rows, the first time and every time. */
  readonly prompt: Int32Array;
  /** Ids after the prompt: decode rows every time, since prefill's bits may differ. */
  decoded: number[];
  /** Ids that may come next. Only those that turn out right become part of `decoded`. */
  draft: readonly number[];
  /** What the token after the last id is drawn by, where the runtime can do it without handing out logits. */
  plan: SamplingPlan | undefined;
  /** Most tokens that it may want, the one that it waits for included. */
  left: number;
  /** What was computed of them before it was asked for, in order: see in-flight. */
  arrived: RowResult[];
  /** How many of all these ids the runtime holds; with some of a draft, until those that are wrong are cut, or that arrived. */
  held: number;
  /** Positions of whole pages that other lanes of its request hold with it: giving them up alone frees nothing. */
  shared: number;
  onLogits: PromptLogits | undefined;
  /** Its reader is behind. */
  parked: boolean;
  /** It gave its memory away, and waits until some is free. */
  suspended: boolean;
  /** It is in the step that is being computed. */
  stepping: boolean;
  /** Until this settles, the runtime is cutting or forking the sequence, or has several steps of it; it never rejects. */
  busy: Promise<void> | undefined;
  waiting: Waiting | undefined;
  /** Ends what the lane waits for, when its request's signal fires. */
  interrupt: (() => void) | undefined;
}

interface Following {
  readonly result: RowResult;
  readonly drafted: number;
}

/** Whoever waits for what comes after a track's last id. */
export interface Waiting {
  /** Lower: has waited longer since its last step. */
  ticket: number;
  /**
   * Takes the token after the last id, with those that follow it where the draft is right; or the logits there, then those after
   * each id of the draft that was computed with it: `drafted` of them.
   */
  resolve(result: RowResult, drafted: number): void;
  reject(error: unknown): void;
}

/** What a track needs next. */
export interface NextRow {
  readonly track: Track;
  readonly stage: StepBatch["stage"];
  readonly ids: ArrayLike<number>;
  /** The row ends with the last id, so its logits are waited for. */
  readonly last: boolean;
  /** Ids of the draft that go with the last id. */
  readonly draft: readonly number[];
}

/** What a lane asks of its desk. */
export interface LaneKeeper {
  readonly sampler: Sampler;
  newTicket(): number;
  /** The error that ended the desk, if one did. */
  stopped(): { readonly error: unknown } | undefined;
  /** Settles as the promise does, or rejects when the desk is stopped. */
  untilStopped<T>(promise: Promise<T>): Promise<T>;
  /** As RuntimeSlot.call. */
  call<T>(work: (runtime: Runtime) => Promise<T>): Promise<T | undefined>;
  /** Somebody waits for a step. */
  wake(): void;
  /** Memory is free, or may be taken from this lane. */
  memoryEased(): void;
  released(track: Track): void;
}

export function createTrack(
  begun: Pick<
    Track,
    "info" | "signal" | "tier" | "arrival" | "place" | "home" | "search" | "prompt" | "held" | "shared"
  >,
): Track {
  return {
    ...begun,
    losses: 0,
    decoded: [],
    draft: [],
    plan: undefined,
    left: 0,
    arrived: [],
    onLogits: undefined,
    parked: false,
    suspended: false,
    stepping: false,
    busy: undefined,
    waiting: undefined,
    interrupt: undefined,
  };
}

export function createLane(track: Track, keeper: LaneKeeper): Lane {
  const { signal } = track;
  let released = false;

  /** What comes after the last id: see Waiting. */
  function following(): Promise<Following> {
    return new Promise<Following>((resolve, reject) => {
      const stopped = keeper.stopped();
      if (signal.aborted) return reject(abortedError(signal));
      if (stopped) return reject(stopped.error);
      const settled = () => {
        track.waiting = undefined;
        track.interrupt = undefined;
      };
      const waiting: Waiting = {
        ticket: keeper.newTicket(),
        resolve(result, drafted) {
          settled();
          resolve({ result, drafted });
        },
        reject(error) {
          settled();
          reject(error);
        },
      };
      // In a step the sequence is in use: its end will see the abort.
      track.interrupt = () => {
        if (!track.stepping) waiting.reject(abortedError(signal));
      };
      track.waiting = waiting;
      keeper.wake();
    });
  }

  return {
    draftRoom: track.info.draftRows - 1,
    async prefill(onLogits) {
      invariant(!onLogits || track.held === 0, "only a lane that began empty sees all of its prompt");
      track.onLogits = onLogits;
      const { result } = await following();
      const row = result.logits!.at(-1)!;
      return (plan) => keeper.sampler.sample(row, plan, { prompt: track.prompt, sampled: [] });
    },
    async decode(id, plan, draft, left) {
      track.decoded.push(id);
      track.draft = draft;
      track.left = left;
      track.plan = drawsItself(track.info, plan) ? plan : undefined;
      const arrived = track.arrived.shift();
      const { result, drafted } = arrived ? { result: arrived, drafted: 0 } : await following();
      if (result.fault) throw result.fault;
      track.draft = [];
      const history = { prompt: track.prompt, sampled: track.decoded };
      const sampled =
        result.tokens ??
        acceptDraft(draft.slice(0, drafted), (place) =>
          keeper.sampler.sample(result.logits![place]!, plan, historyAfter(history, draft, place, plan)),
        );
      for (const { token } of sampled.slice(0, -1)) track.decoded.push(token);
      if (sampled.length <= drafted)
        await keeper.call((runtime) => cutTo(track, track.prompt.length + track.decoded.length, runtime));
      return { sampled, drafted };
    },
    throwIfAborted: () => throwIfAborted(signal),
    async rewind() {
      throwIfAborted(signal);
      await track.busy; // what is in flight is still for the answer before
      track.decoded = [];
      track.arrived = [];
      await keeper.call((runtime) => cutTo(track, track.prompt.length, runtime));
      keeper.memoryEased();
    },
    async park(reason) {
      track.parked = true;
      keeper.memoryEased();
      const interrupted = new Promise<void>((resolve) => {
        track.interrupt = resolve;
      });
      if (!signal.aborted) await keeper.untilStopped(Promise.race([reason, interrupted]));
      track.interrupt = undefined;
      track.parked = false;
      throwIfAborted(signal);
    },
    release() {
      if (released) return;
      released = true;
      const free = () => {
        const { home } = track;
        home?.runtime.free(home.sequence);
        keeper.released(track);
      };
      if (track.busy) void track.busy.then(free);
      else free();
    },
  };
}

/** Whether the runtime saves the reading of logits for such a plan. */
function drawsItself({ samplingSteps }: RuntimeInfo, { steps }: SamplingPlan): boolean {
  return steps.every(({ name }) => samplingSteps.includes(name));
}

/** Rows of logits of the prompt that are taken at once: all of them lie on the heap together. */
const PROMPT_LOGIT_ROWS = 16;

/**
 * The ids that come next, as many as fit.
 * @param room tokens that a segment has, or that a decode step has left
 */
export function nextRow(track: Track, room: number): NextRow {
  const { prompt, decoded, held } = track;
  if (held < prompt.length) {
    const end = Math.min(held + (track.onLogits ? Math.min(room, PROMPT_LOGIT_ROWS) : room), prompt.length);
    const last = end === prompt.length && decoded.length === 0;
    return { track, stage: "prefill", ids: prompt.subarray(held, end), last, draft: [] };
  }
  const start = held - prompt.length;
  const ids = decoded.slice(start, start + room);
  return { track, stage: "decode", ids, last: start + ids.length === decoded.length, draft: [] };
}

/** Has the runtime forget what lies beyond `length`; one that was lost has. */
export function cutTo(track: Track, length: number, runtime: Runtime): Promise<void> {
  return inTurn(track, async () => {
    const { home } = track;
    if (home?.runtime !== runtime || track.held <= length) return;
    const kept = await runtime.rewind(home.sequence, length);
    if (track.home === home) track.held = kept;
  });
}

/** The runtime is lost, and with it what it held: all ids are to be fed again. */
export function forget(track: Track): void {
  track.home = undefined;
  track.held = 0;
  track.shared = 0;
  track.suspended = false; // the next runtime's memory is free
}

/** Works on a sequence that is in no step: after what is under way on it, since `held` is only true then. */
export async function inTurn<Result>(track: Track, work: () => Promise<Result>): Promise<Result> {
  const earlier = track.busy;
  const turn = earlier ? earlier.then(work) : work();
  const busy = turn.then(ignore, ignore);
  track.busy = busy;
  try {
    return await turn;
  } finally {
    if (track.busy === busy) track.busy = undefined;
  }
}

function ignore(): void {}
