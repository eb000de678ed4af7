// Rows of a step whose token is wanted: drawn by the kernels where they can, by the CPU sampler from logits that are read where
// they cannot. Both give the same.
import { isEngineError } from "../base/errors.ts";
import { invariant } from "../base/invariant.ts";
import { GPU_SAMPLING_STEPS, MOST_ALTERNATIVES, type SampleEntry, sampleEntries } from "../kernels/sample-rows.ts";
import type { SamplingPlan } from "../sampling/plan.ts";
import { type Sampled, sample, type TokenHistory } from "../sampling/sampler.ts";
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

export function drawnRow({ plan, history, mask }: Row): DrawnRow {
  invariant(plan && history, "a row that is sampled comes with its plan and its history");
  return { plan, history, ...(mask && { mask }) };
}

/**
 * What the kernels need for a row; undefined where its plan has steps that they do not know, or more tokens have a bias or a
 * penalty than they have room for.
 * @param room entries that may still be taken
 * @param place as KernelRow has it
 */
export function kernelRow(row: DrawnRow, vocabSize: number, room: number, place: number): KernelRow | undefined {
  const { steps, options } = row.plan;
  if (steps.some(({ name }) => !GPU_SAMPLING_STEPS.includes(name))) return undefined;
  if ((options.logprobs ?? 0) > MOST_ALTERNATIVES) return undefined;
  const entries = sampleEntries(row.plan, row.history, vocabSize);
  return entries.length <= room ? { ...row, entries, place } : undefined;
}

/** The CPU sampler's token of a row's last logits. */
export function drawOf(logits: Float32Array, { plan, history, mask }: DrawnRow): RowResult {
  return drawing(() => sample(logits, plan, history, mask));
}

/** A row that cannot be sampled is a fault of its own: the others of its step are as they would be without it. */
export function drawing(draw: () => Sampled): RowResult {
  try {
    return { tokens: [draw()] };
  } catch (error) {
    if (isEngineError(error)) return { fault: error };
    throw error;
  }
}
