// How many tokens of a prompt make a segment: what takes about as long as an abort is to wait, by the time that earlier ones took.
import { createEstimate } from "../base/estimate.ts";

/** A segment that has begun is computed to its end. */
const SEGMENT_MS = 400;
/**
 * Fewer would leave a GPU idle, and say little about how long more take; on a CPU adapter, where they take longer, kernels share each
 * load among so many.
 */
const FEWEST = 32;
/** Before anything is known. */
const FIRST = 256;
/** Of the latest segment in the estimate. */
const LATEST_WEIGHT = 0.5;

export interface Segments {
  /** Tokens of the next one. */
  readonly rows: number;
  /** @param ms with the steps that others had in between, which an abort waits for too */
  took(rows: number, ms: number): void;
}

/** @param most that the runtime takes in one step */
export function createSegments(most: number): Segments {
  const msEach = createEstimate(LATEST_WEIGHT);
  return {
    get rows() {
      if (msEach.value === undefined) return Math.min(most, FIRST);
      const fitting = 2 ** Math.floor(Math.log2(SEGMENT_MS / msEach.value));
      return Math.min(most, Math.max(FEWEST, fitting));
    },
    took(rows, ms) {
      if (rows >= FEWEST) msEach.saw(ms / rows);
    },
  };
}
