// The judge of exactness is itself exact: hand-made rows with known distances.
import { expect, test } from "vitest";
import { type GoldenTop, scoreLogits, worseScore } from "../../scripts/logit-score.ts";
import { isEngineError } from "../../src/base/errors.ts";

/** Logits whose softmax is the given distribution, shifted as logits may be. */
const logitsOf = (...probabilities: number[]) => Float32Array.from(probabilities, (p) => Math.log(p) + 5);
const golden: GoldenTop = [[0, Math.log(0.5)], [1, Math.log(0.25)]]; // biome-ignore format: two entries

test("logits of the golden distribution itself have no distance, whatever their offset", () => {
  const score = scoreLogits([logitsOf(0.5, 0.25, 0.125, 0.125)], [golden]);
  expect(score).toMatchObject({ positions: 1, top1: 1 });
  expect(score.maxAbs).toBeLessThan(1e-6);
  expect(Math.abs(score.kl)).toBeLessThan(1e-6);
});

test("distances are in nats and the rest of the vocabulary is one bucket of the divergence", () => {
  const score = scoreLogits([logitsOf(0.25, 0.5, 0.125, 0.125)], [golden]);
  expect(score.top1).toBe(0);
  expect(score.meanAbs).toBeCloseTo(Math.LN2, 6);
  expect(score.maxAbs).toBeCloseTo(Math.LN2, 6);
  expect(score.kl).toBeCloseTo(0.5 * Math.LN2 - 0.25 * Math.LN2, 6);
});

test("entries at or below -8 are left out of the distances", () => {
  const far: GoldenTop = [...golden, [2, -8], [3, -20]];
  expect(scoreLogits([logitsOf(0.5, 0.25, 0.125, 0.125)], [far]).maxAbs).toBeLessThan(1e-6);
});

test("means run over all positions, the maximum over the worst", () => {
  const good = logitsOf(0.5, 0.25, 0.125, 0.125);
  const swapped = logitsOf(0.25, 0.5, 0.125, 0.125);
  const score = scoreLogits([good, swapped], [golden, golden]);
  expect(score).toMatchObject({ positions: 2, top1: 1 });
  expect(score.meanAbs).toBeCloseTo(Math.LN2 / 2, 6);
  expect(score.maxAbs).toBeCloseTo(Math.LN2, 6);
});

test("the worse of two scores is taken figure by figure", () => {
  const a = { positions: 8, top1: 8, meanAbs: 0.1, maxAbs: 0.5, kl: 0.2 };
  const b = { positions: 8, top1: 7, meanAbs: 0.2, maxAbs: 0.4, kl: 0.3 };
  expect(worseScore(a, b)).toEqual({ positions: 8, top1: 7, meanAbs: 0.2, maxAbs: 0.5, kl: 0.3 });
});

test.each([Number.NaN, Number.POSITIVE_INFINITY])("a logit of %s is a numeric fault, never a score", (bad) => {
  let thrown: unknown;
  try {
    scoreLogits([Float32Array.of(1, bad)], [[[0, -0.1]]]);
  } catch (error) {
    thrown = error;
  }
  expect(isEngineError(thrown, "numeric_fault")).toBe(true);
});
