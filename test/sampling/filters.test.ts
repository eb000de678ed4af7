// Filters on logits written by hand, and against a plain sort.
import { expect, test } from "vitest";
import type { Candidates } from "../../src/sampling/candidates.ts";
import { keepMinP, keepTopK, keepTopP } from "../../src/sampling/filters.ts";
import { SCORE_ONE } from "../../src/sampling/fixed-point.ts";
import { philox4x32 } from "../../src/sampling/rng.ts";
import { candidatesFor, tokensOf } from "./candidates-for.ts";

type Filter = (candidates: Candidates) => void;

function kept(logits: readonly number[], temperature: number, ...filters: readonly Filter[]): number[] {
  const candidates = candidatesFor(logits, temperature);
  for (const filter of filters) filter(candidates);
  expect(candidates.distances[candidates.best]).toBe(0);
  return tokensOf(candidates);
}
const topK =
  (count: number): Filter =>
  (candidates) =>
    keepTopK(candidates, count);
const topP =
  (share: number): Filter =>
  (candidates) =>
    keepTopP(candidates, share);
const minP =
  (share: number): Filter =>
  (candidates) =>
    keepMinP(candidates, -Math.log(share) * SCORE_ONE);

/** Probabilities 0.1, 0.4, 0.2, 0.05, 0.25. */
const FIVE = [0.1, 0.4, 0.2, 0.05, 0.25].map(Math.log);

test.each([
  [1, [1]],
  [2, [1, 4]],
  [3, [1, 2, 4]],
  [5, [0, 1, 2, 3, 4]],
  [99, [0, 1, 2, 3, 4]],
])("top_k %i keeps %j", (count, tokens) => {
  expect(kept(FIVE, 1, topK(count))).toEqual(tokens);
});

test.each([
  [0, [1]],
  [0.39, [1]],
  [0.41, [1, 4]],
  [0.64, [1, 4]],
  [0.66, [1, 2, 4]],
  [0.84, [1, 2, 4]],
  [0.86, [0, 1, 2, 4]],
  [0.96, [0, 1, 2, 3, 4]],
])("top_p %d keeps %j: the fewest whose mass reaches it", (share, tokens) => {
  expect(kept(FIVE, 1, topP(share))).toEqual(tokens);
});

test.each([
  [0.6, [1, 4]],
  [0.4, [1, 2, 4]],
  [0.13, [0, 1, 2, 4]],
  [0.12, [0, 1, 2, 3, 4]],
  [1, [1]],
])("min_p %d keeps %j: at least so likely relative to the best", (share, tokens) => {
  expect(kept(FIVE, 1, minP(share))).toEqual(tokens);
});

test("ties are cut by id", () => {
  expect(kept([1, 2, 2, 2, 2], 1, topK(3))).toEqual([1, 2, 3]);
  expect(kept([5, 5, 5, 5], 1, topP(0.5))).toEqual([0, 1]);
  expect(kept([5, 5, 5, 5], 1, topP(0.51))).toEqual([0, 1, 2]);
});

test("logits that differ by less than the order tells apart are ties", () => {
  expect(candidatesFor([-1, 0, 1e-9]).best).toBe(1);
  expect(kept([0, 1e-9], 1, topK(1))).toEqual([0]);
  expect(kept([-1, 0, 1e-9], 1, topP(0))).toEqual([1]);
});

test("top_p's mass is that of the tempered distribution, among the tokens top_k left", () => {
  // temperature 0.5 squares: 0.01 0.16 0.04 0.0025 0.0625, of 0.275
  expect(kept(FIVE, 0.5, topP(0.58))).toEqual([1]);
  expect(kept(FIVE, 0.5, topP(0.59))).toEqual([1, 4]);
  // of the best two, token 1 has 0.4 / 0.65 = 0.615
  expect(kept(FIVE, 1, topK(2), topP(0.61))).toEqual([1]);
  expect(kept(FIVE, 1, topK(2), topP(0.62))).toEqual([1, 4]);
});

test("a tiny temperature leaves the best token and overflows nothing", () => {
  expect(kept([1, 2, 3, -3e38], 1e-45)).toEqual([2]);
  expect(kept([7, 7], 1e-45)).toEqual([0, 1]);
});

test("on 20,000 random logits filters agree with a full sort in float64", () => {
  const logits = Array.from({ length: 20_000 }, (_, i) => Math.fround(philox4x32([i, 0, 0, 0], [7, 7])[0] / 2 ** 29));
  const order = logits.map((_, token) => token).sort((a, b) => logits[b]! - logits[a]! || a - b);
  const sorted = (tokens: readonly number[]): number[] => [...tokens].sort((a, b) => a - b);
  for (const count of [1, 40, 777, 19_999]) {
    expect(kept(logits, 1, topK(count))).toEqual(sorted(order.slice(0, count)));
  }
  const weights = logits.map((logit) => Math.exp(logit - logits[order[0]!]!));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  for (const share of [0.01, 0.5, 0.9, 0.99]) {
    let mass = 0;
    const length = order.findIndex((token) => {
      mass += weights[token]!;
      return mass >= share * total;
    });
    const tokens = kept(logits, 1, topP(share));
    expect(Math.abs(tokens.length - (length + 1))).toBeLessThanOrEqual(1); // weights are rounded to 2^-30
    expect(tokens).toEqual(sorted(order.slice(0, tokens.length)));
  }
});
