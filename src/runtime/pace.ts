// How much of a prefill goes into one submission: what takes about as long as others are to wait for the GPU, by the time that
// earlier submissions took.
import { createEstimate } from "../base/estimate.ts";

/**
 * A submission holds up whatever else the GPU has to do, the page's own drawing with it (PERFORMANCE.md §4.2): about one and a
 * half frames of 60 a second.
 */
export const SUBMIT_MS = 24;
/** Before anything is known: so small a part that the first look at the clock comes soon. */
const FIRST_SHARE = 1 / 16;
/** Of the latest measurement in the estimate: the clock of a shared machine is noisy, and the load changes. */
const WEIGHT = 0.5;

export interface Pace {
  /** Dispatches, at least one, that take about `ms` milliseconds. */
  dispatchesFor(ms: number, dispatchCount: number): number;
  took(dispatchCount: number, ms: number): void;
}

export function createPace(): Pace {
  const msEach = createEstimate(WEIGHT);
  return {
    dispatchesFor(ms, dispatchCount) {
      const count = msEach.value === undefined ? dispatchCount * FIRST_SHARE : ms / msEach.value;
      return Math.max(1, Math.min(dispatchCount, Math.round(count)));
    },
    took(dispatchCount, ms) {
      msEach.saw(ms / dispatchCount);
    },
  };
}
