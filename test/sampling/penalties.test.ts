// Bias and penalties against their formulas.
import { expect, test } from "vitest";
import { addLogitBias, applyPenalties, applyRepetitionPenalty } from "../../src/sampling/penalties.ts";
import { compilePlan } from "../../src/sampling/plan.ts";
import { sample } from "../../src/sampling/sampler.ts";
import { options } from "./options.ts";

const zeros = (): Uint32Array => new Uint32Array(6);

test("logit -= count * frequency + (count > 0) * presence, over sampled tokens", () => {
  const logits = Float32Array.of(1, 1, 1, 1, 1, 1);
  const counts = zeros();
  applyPenalties(logits, [2, 4, 2, 2], 0.5, 0.25, counts);
  expect([...logits]).toEqual([1, 1, 1 - 3 * 0.5 - 0.25, 1, 1 - 0.5 - 0.25, 1]);
  expect(counts).toEqual(zeros());
});

test("negative penalties raise", () => {
  const logits = Float32Array.of(0, 0, 0, 0, 0, 0);
  applyPenalties(logits, [1, 1], -2, -1, zeros());
  expect([...logits]).toEqual([0, 5, 0, 0, 0, 0]);
});

test("repetition_penalty divides positive logits and multiplies negative ones, once, prompt included", () => {
  const logits = Float32Array.of(3, -3, 3, -3, 0, 8);
  const counts = zeros();
  applyRepetitionPenalty(logits, [0, 1, 1], [5, 0, 4], 2, counts);
  expect([...logits]).toEqual([1.5, -6, 3, -3, 0, 4]);
  expect(counts).toEqual(zeros());
});

test("a bias adds; an id outside the vocabulary is ignored", () => {
  const logits = Float32Array.of(1, 2);
  addLogitBias(logits, new Map([[0, -100], [1, 100], [7, 5]])); // biome-ignore format: a table
  expect([...logits]).toEqual([-99, 102]);
});

test("frequency penalties do not count the prompt; repetition_penalty does", () => {
  const logits = Float32Array.of(2, 1.9, 0);
  const history = { prompt: [0, 0, 0], sampled: [] };
  expect(sample(logits, compilePlan(options({ temperature: 0, frequencyPenalty: 2 })), history).token).toBe(0);
  expect(sample(logits, compilePlan(options({ temperature: 0, repetitionPenalty: 2 })), history).token).toBe(1);
});

test("a finite logit stays finite, and one that is ruled out stays so", () => {
  const ends = (): Float32Array => Float32Array.of(3.4e38, -3.4e38, -Infinity);
  const tokens = [0, 1, 2];
  const largest = 3.4028234663852886e38;
  const raised = ends();
  applyRepetitionPenalty(raised, tokens, [], 1e-40, zeros());
  expect([...raised]).toEqual([largest, expect.closeTo(-0.034, 4), -Infinity]);
  const lowered = ends();
  applyRepetitionPenalty(lowered, tokens, [], 1e30, zeros());
  expect(lowered[1]).toBe(-largest);
  expect(lowered[2]).toBe(-Infinity);
  const penalized = ends();
  applyPenalties(penalized, tokens, 1e38, 0, zeros());
  expect([...penalized]).toEqual([Math.fround(2.4e38), -largest, -Infinity]);
});

test("each step of a penalty is rounded to f32, as a GPU rounds it", () => {
  const logits = Float32Array.of(0.3, 0.7);
  applyPenalties(logits, [0, 0, 0], 0.1, 0.7, zeros());
  const { fround } = Math;
  expect(logits[0]).toBe(fround(fround(fround(0.3) - fround(3 * fround(0.1))) - fround(0.7)));
  applyRepetitionPenalty(logits, [1], [], 1.3, zeros());
  expect(logits[1]).toBe(fround(fround(0.7) * fround(1 / 1.3)));
});

test("a bias of 100 forces and of -100 bans", () => {
  const logits = Float32Array.of(20, 10, -5);
  const history = { prompt: [], sampled: [] };
  for (let seed = 0n; seed < 50n; seed++) {
    const force = compilePlan(options({ seed, logitBias: new Map([[2, 100]]) }));
    expect(sample(logits, force, history).token).toBe(2);
    const ban = compilePlan(options({ seed, logitBias: new Map([[0, -100]]) }));
    expect(sample(logits, ban, history).token).not.toBe(0);
  }
});

test("the caller's logits stay as they are", () => {
  const logits = Float32Array.of(1, 2, 3);
  const plan = compilePlan(options({ presencePenalty: 1, logitBias: new Map([[0, 5]]), repetitionPenalty: 1.5 }));
  sample(logits, plan, { prompt: [1], sampled: [2] });
  expect([...logits]).toEqual([1, 2, 3]);
});
