// Steps in flight: a decode step is submitted before the token that it begins with has come back, as long as its lanes want
// nothing but their next token and nobody else wants a step. All of a flight's steps have the same lanes. What a lane no longer
// wants by the time it comes is dropped; an answer has the same tokens as without.
import { type EngineError, isEngineError } from "../base/errors.ts";
import { createEstimate, type Estimate } from "../base/estimate.ts";
import { nextTask } from "../base/event-loop.ts";
import type { RowResult, StepId, StepResult } from "../runtime/runtime.ts";
import { looksBack } from "../sampling/plan.ts";
import { inTurn, type NextRow, type Track } from "./lane.ts";
import { followingRow, rowOf } from "./next-rows.ts";
import type { RuntimeSlot } from "./runtime-slot.ts";
import { type Stall, watchStall } from "./stall.ts";

/** Of work that is under way for nothing when an answer ends, and that others have to wait for. */
const MOST_WASTED_MS = 50;
const LEAST_STEP_MS = 0.1; // what a clock may call 0
/** Of a step's time: steps that take turns with the way of their results look like this much less than they are. */
const SLACK = 0.25;
const LATEST_WEIGHT = 0.25;

/**
 * How many steps to have in flight: while the result of one is on its way and its lanes think, the runtime has others to do.
 * One more than is under way at the pace so far, since that pace may be the way's and not the runtime's.
 * @param latencyMs from the submission of a step that nothing is before, until its lanes have asked for the next
 * @param stepMs between the results of steps that follow each other
 */
export function depthOf(latencyMs: number, stepMs: number, most: number): number {
  const step = Math.max(stepMs, LEAST_STEP_MS);
  const hiding = Math.max(2, Math.floor(latencyMs / step + SLACK) + 1);
  return Math.min(most, Math.ceil(MOST_WASTED_MS / step), hiding);
}

/**
 * Computes steps of these rows, one or more. False when it did nothing, since they cannot fly or there is no memory for the
 * first. Never rejects: what fails are their lanes.
 * @param quiet whether nobody else wants a step
 */
export type Fly = (rows: readonly NextRow[], quiet: () => boolean) => Promise<boolean>;

let nextStep = 0;

/**
 * @param most steps that the runtime takes at once
 * @param stepMs of decode steps
 * @param settle hands a result to its lane, for so many ids that were computed
 */
export function createFly(
  slot: RuntimeSlot,
  most: number,
  stepMs: Estimate,
  settle: (row: NextRow, result: RowResult, computed: number) => void,
  onStall: (stall: Stall) => void,
): Fly {
  const latencyMs = createEstimate(LATEST_WEIGHT);
  const depth = () => depthOf(latencyMs.value ?? 0, stepMs.value ?? MOST_WASTED_MS, most);

  /** Resolves to what ended the flight early, and whether any step was computed. */
  async function carryOut(rows: readonly NextRow[], quiet: () => boolean) {
    const runtime = slot.current;
    const pending: Promise<StepResult | undefined>[] = [];
    let last: StepId | undefined;
    let settled = 0;
    let failure: { readonly error: unknown } | undefined;

    function submit(): void {
      const before = last;
      const id = nextStep++ as StepId;
      const batch = rows.map((row) =>
        before === undefined ? rowOf(row) : followingRow(row.track, before, pending.length),
      );
      const call = slot.call((current) => current.step({ stage: "decode", rows: batch, id }));
      call.catch((error: unknown) => {
        failure ??= { error }; // what follows a step that failed is refused
      });
      pending.push(call);
      last = id;
    }

    const goesOn = () =>
      slot.current === runtime &&
      !failure &&
      pending.length < depth() &&
      rows.every(({ track }) => wantsMore(track, pending.length)) &&
      quiet();

    for (let since = performance.now(); ; ) {
      const before = last;
      while (last === undefined || goesOn()) submit();
      const next = pending.shift();
      if (!next) return { failure, settled };
      const calledOff = watchStall("decode", onStall);
      const result = await next.catch(() => undefined);
      calledOff();
      // After a loss the lanes go on waiting, for the next runtime's step.
      if (!result || slot.current !== runtime) continue;
      rows.forEach((row, index) => {
        settle(row, result.rows[index]!, settled === 0 ? row.ids.length : 1);
      });
      await nextTask(); // the lanes ask for their next token, and aborts are seen
      const now = performance.now();
      if (settled++ === 0) latencyMs.saw(now - since);
      else if (last !== before) stepMs.saw(now - since);
      since = now;
    }
  }

  return async (rows, quiet) => {
    if (depth() === 1 || !rows.every(canFly) || !quiet()) return false;
    const flight = carryOut(rows, quiet);
    // Until it has landed nobody may cut or free its sequences.
    for (const { track } of rows) void inTurn(track, () => flight);
    const { failure, settled } = await flight;
    if (!failure) return true;
    if (isEngineError(failure.error, "out_of_memory")) return settled > 0; // that step was refused whole
    for (const row of rows) settle(row, { fault: failure.error as EngineError }, 0);
    return true;
  };
}

function canFly({ stage, last, track }: NextRow): boolean {
  const { plan, draft } = track;
  return stage === "decode" && last && draft.length === 0 && plan !== undefined && !looksBack(plan);
}

/** @param pending steps that are under way for it */
function wantsMore({ waiting, signal, draft, left }: Track, pending: number): boolean {
  return waiting !== undefined && !signal.aborted && draft.length === 0 && pending < left;
}
