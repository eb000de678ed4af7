// Typical sampling on probabilities written by hand, and against entropies in float64.
import { expect, test } from "vitest";
import { philox4x32 } from "../../src/sampling/rng.ts";
import { keepTypical } from "../../src/sampling/typical.ts";
import { candidatesFor, tokensOf } from "./candidates-for.ts";
import { mostTypicalFirst, untilMass } from "./reference.ts";

function kept(logits: ArrayLike<number>, share: number): number[] {
  const candidates = candidatesFor(logits);
  keepTypical(candidates, share);
  return tokensOf(candidates);
}

/** Entropy 1.415; of its tokens that with 0.25 is nearest (1.386), then 0.2 (1.609), 0.4 (0.916), 0.1 and 0.05. */
const FIVE = [0.1, 0.4, 0.2, 0.05, 0.25].map(Math.log);

test.each([
  [0, [4]],
  [0.24, [4]],
  [0.26, [2, 4]],
  [0.44, [2, 4]],
  [0.46, [1, 2, 4]],
  [0.86, [0, 1, 2, 4]],
  [0.96, [0, 1, 2, 3, 4]],
])("typical_p %d keeps %j: the fewest nearest to the entropy whose mass reaches it", (share, tokens) => {
  expect(kept(FIVE, share)).toEqual(tokens);
});

test("the best token may go, and distances are then counted from the best that stays", () => {
  const candidates = candidatesFor(FIVE);
  keepTypical(candidates, 0.44);
  expect(tokensOf(candidates)).toEqual([2, 4]);
  expect(candidates.best).toBe(1);
  expect(candidates.distances[1]).toBe(0);
  expect(candidates.distances[0]! / 2 ** 24).toBeCloseTo(Math.log(0.25 / 0.2), 6);
});

test("ties go to the lower id, and one token is always left", () => {
  expect(kept([5, 5, 5, 5], 0.5)).toEqual([0, 1]);
  expect(kept([5, 5, 5, 5], 0)).toEqual([0]);
  expect(kept([-Infinity, 3], 0.5)).toEqual([1]);
});

test.each([0.05, 0.3, 0.8, 0.99])("on 3,000 random logits typical_p %d agrees with a sort in float64", (share) => {
  const logits = Float32Array.from({ length: 3000 }, (_, i) => philox4x32([i, 0, 0, 0], [8, 8])[0] / 2 ** 28);
  const weights = Array.from(logits, (logit) => Math.exp(logit - 16));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const p = weights.map((weight) => weight / total);
  const tokens = kept(logits, share);
  const order = mostTypicalFirst(p);
  expect(Math.abs(tokens.length - untilMass(p, order, share).length)).toBeLessThanOrEqual(1); // weights are rounded
  expect(tokens).toEqual(order.slice(0, tokens.length).sort((a, b) => a - b));
});
