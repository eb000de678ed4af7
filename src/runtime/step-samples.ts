// Rows of a step whose token is wanted: drawn by the kernels where they can, by the CPU sampler from logits that are read where
// they cannot. Both give the same.
import { isEngineError } from "../base/errors.ts";
import { invariant } from "../base/invariant.ts";
import { GPU_SAMPLING_STEPS, MOST_ALTERNATIVES, type SampleEntry, sampleEntries } from "../kernels/sample-rows.ts";
import type { SamplingPlan } from "../sampling/plan.ts";
import { type Sampled, sample, type TokenHistory } from "../sampling/sampler.ts";
import { historyAfter } from "./accept.ts";
import type { Row, RowResult } from "./runtime.ts";

/** What a token is drawn by. */
export interface DrawnRow {
  readonly plan: SamplingPlan;
  readonly history: TokenHistory;
  readonly mask?: Uint32Array;
}

/** The same for the kernels. */
export interface KernelRow extends DrawnRow {
  readonly entries: readonly SampleEntry[];
  /** Word of the results at which they leave the token for later steps. */
  readonly place: number;
}

/** One for what follows the row, or, with a draft at its end, for what follows each token of that too. */
export function drawnRows({ plan, history, mask }: Row, draft: readonly number[]): DrawnRow[] {
  invariant(plan && history, "a row that is sampled comes with its plan and its history");
  invariant(draft.length === 0 || !mask, "a mask is for one position");
  return Array.from({ length: draft.length + 1 }, (_, place) => ({
    plan,
    history: historyAfter(history, draft, place, plan),
    ...(mask && { mask }),
  }));
}

/**
 * What the kernels need for these; undefined where their plan has steps that they do not know, or more tokens have a bias or a
 * penalty than they have room for.
 * @param room entries that may still be taken
 * @param place as KernelRow has it
 */
export function kernelRows(
  rows: readonly DrawnRow[],
  vocabSize: number,
  room: number,
  place: number,
): KernelRow[] | undefined {
  const { steps, options } = rows[0]!.plan;
  if (steps.some(({ name }) => !GPU_SAMPLING_STEPS.includes(name))) return undefined;
  if ((options.logprobs ?? 0) > MOST_ALTERNATIVES) return undefined;
  const told = rows.map((row) => ({ ...row, entries: sampleEntries(row.plan, row.history, vocabSize), place }));
  return entryCount(told) <= room ? told : undefined;
}

export function entryCount(rows: readonly KernelRow[]): number {
  return rows.reduce((sum, { entries }) => sum + entries.length, 0);
}

/** The CPU sampler's token of a position's logits. */
export function drawOf(logits: Float32Array, { plan, history, mask }: DrawnRow): Sampled {
  return sample(logits, plan, history, mask);
}

/** A row that cannot be sampled is a fault of its own: the others of its step are as they would be without it. */
export function drawing(draw: () => readonly Sampled[]): RowResult {
  try {
    return { tokens: draw() };
  } catch (error) {
    if (isEngineError(error)) return { fault: error };
    throw error;
  }
}
