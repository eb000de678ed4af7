// What rules tokens out: masks and the least length of an answer.
import { expect, test } from "vitest";
import { compilePlan } from "../../src/sampling/plan.ts";
import { applyMask, holdBack } from "../../src/sampling/restrictions.ts";
import { sample } from "../../src/sampling/sampler.ts";
import { options } from "./options.ts";

test("a mask rules out the tokens whose bit is 0", () => {
  const logits = new Float32Array(40).fill(1);
  applyMask(logits, Uint32Array.of(0b101, 1 << 7));
  expect([...logits.keys()].filter((token) => logits[token] === 1)).toEqual([0, 2, 39]);
});

test("held back tokens are ruled out; ids outside the vocabulary are no tokens", () => {
  const logits = Float32Array.of(1, 2, 3);
  holdBack(logits, new Set([2, 99]));
  expect([...logits]).toEqual([1, 2, -Infinity]);
});

test("where no other token is left, nothing is held back", () => {
  const logits = Float32Array.of(-Infinity, 2, 3);
  holdBack(logits, new Set([1, 2]));
  expect([...logits]).toEqual([-Infinity, 2, 3]);
});

test.each([0, 1])("min_tokens counts the answer alone, and no bias helps, at temperature %d", (temperature) => {
  const row = Float32Array.of(9, 1, 2);
  const minTokens = { count: 2, heldBack: new Set([0]) };
  const plan = compilePlan(options({ temperature, minTokens, logitBias: new Map([[0, 100]]) }));
  const tokenAfter = (sampled: number[]): number => sample(row, plan, { prompt: [1, 1, 1], sampled }).token;
  expect(tokenAfter([])).not.toBe(0);
  expect(tokenAfter([1])).not.toBe(0);
  expect(tokenAfter([1, 1])).toBe(0);
});

test("a grammar that allows the end alone ends the answer before min_tokens", () => {
  const minTokens = { count: 100, heldBack: new Set([1]) };
  const plan = compilePlan(options({ minTokens, masked: true }));
  expect(sample(Float32Array.of(5, 1, 5), plan, { prompt: [], sampled: [] }, Uint32Array.of(0b010)).token).toBe(1);
});
