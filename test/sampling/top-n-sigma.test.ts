// Top-n-sigma on logits written by hand, and against a standard deviation in float64.
import { expect, test } from "vitest";
import { compilePlan } from "../../src/sampling/plan.ts";
import { philox4x32 } from "../../src/sampling/rng.ts";
import { sample } from "../../src/sampling/sampler.ts";
import { keepTopNSigma } from "../../src/sampling/top-n-sigma.ts";
import { options } from "./options.ts";

function kept(logits: ArrayLike<number>, n: number): number[] {
  const row = Float32Array.from(logits);
  keepTopNSigma(row, Math.max(...row), n);
  return [...row.keys()].filter((token) => row[token]! > -Infinity);
}

const LEAST = -Infinity;
test.each([
  ["sigma is the square root of 2", [0, 1, 2, 3, 4], 0.7, [4]],
  ["sigma is the square root of 2", [0, 1, 2, 3, 4], 0.71, [3, 4]],
  ["sigma is the square root of 2", [0, 1, 2, 3, 4], 1.41, [3, 4]],
  ["sigma is the square root of 2", [0, 1, 2, 3, 4], 1.42, [2, 3, 4]],
  ["ruled out tokens do not count", [0, LEAST, 1, 2, 3, LEAST, 4], 1.41, [4, 6]],
  ["all equal", [7, 7, 7], 0.01, [0, 1, 2]],
  ["one finite", [LEAST, 7, LEAST], 1, [1]],
  ["the range of f32", [-3e38, 3e38, 0], 1, [1]],
  ["tiny differences", [1e-40, 0, 2e-40], 1, [2]],
  ["n beyond any range", [-3e38, 3e38, 0], 1e38, [0, 1, 2]],
])("%s: %j with %d keeps %j", (_, logits, n, tokens) => {
  expect(kept(logits, n)).toEqual(tokens);
});

test.each([0.5, 1, 2, 3])("on 20,000 random logits %d sigma agree with float64", (n) => {
  const logits = Float32Array.from({ length: 20_000 }, (_, i) => {
    const words = philox4x32([i, 0, 0, 0], [5, 5]);
    return (words[0] + words[1] + words[2] + words[3]) / 2 ** 30 - 8;
  });
  const mean = logits.reduce((sum, logit) => sum + logit, 0) / logits.length;
  const sigma = Math.sqrt(logits.reduce((sum, logit) => sum + (logit - mean) ** 2, 0) / logits.length);
  const largest = logits.reduce((a, b) => Math.max(a, b));
  const least = largest - n * sigma;
  const slack = n * sigma * 2 ** -14; // distances are counted in 2^-16 of their range
  const tokens = kept(logits, n);
  expect(tokens.every((token) => logits[token]! >= least - slack)).toBe(true);
  expect(tokens.length).toBeGreaterThanOrEqual(logits.filter((logit) => logit >= least + slack).length);
});

test("the tokens that may be drawn do not depend on the temperature", () => {
  const row = Float32Array.of(0, 1, 2, 3, 4);
  for (const temperature of [0.3, 1, 2, 1000]) {
    const drawn = new Set<number>();
    for (let seed = 0n; seed < 500n; seed++) {
      const plan = compilePlan(options({ seed, temperature, topNSigma: 1 }));
      drawn.add(sample(row, plan, { prompt: [], sampled: [] }).token);
    }
    expect([...drawn].sort()).toEqual([3, 4]);
  }
});
