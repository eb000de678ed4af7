// Candidates of a row of logits, for tests of single filters.
import {
  type Candidates,
  createCandidates,
  gatherCandidates,
  inverseTemperature,
} from "../../src/sampling/candidates.ts";

export function candidatesFor(logits: ArrayLike<number>, temperature = 1): Candidates {
  const row = Float32Array.from(logits);
  const candidates = createCandidates(row.length);
  gatherCandidates(candidates, row, Math.max(...row), inverseTemperature(temperature));
  return candidates;
}

export function tokensOf(candidates: Candidates): number[] {
  return [...candidates.tokens.subarray(0, candidates.length)];
}
