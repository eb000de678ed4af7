// Logprobs: the raw distribution, whatever a request does to its logits.
import { expect, test } from "vitest";
import { tokenLogprobs } from "../../src/sampling/logprobs.ts";
import { compilePlan } from "../../src/sampling/plan.ts";
import { philox4x32 } from "../../src/sampling/rng.ts";
import { sample } from "../../src/sampling/sampler.ts";
import { options } from "./options.ts";

const LOGITS = Float32Array.from({ length: 3000 }, (_, i) => philox4x32([i, 0, 0, 0], [3, 3])[0] / 2 ** 27 - 16);
const NONE = { prompt: [], sampled: [] };

/** Log-softmax in float64. */
const REFERENCE = ((): number[] => {
  const max = LOGITS.reduce((a, b) => Math.max(a, b));
  const sum = LOGITS.reduce((total, logit) => total + Math.exp(logit - max), 0);
  return [...LOGITS].map((logit) => logit - max - Math.log(sum));
})();

test("are the natural log-softmax of the raw logits, under any settings", () => {
  const changes = { temperature: 0.3, topK: 5, repetitionPenalty: 3, logitBias: new Map([[7, 100]]), logprobs: 20 };
  const { token, logprobs } = sample(LOGITS, compilePlan(options(changes)), { prompt: [1, 2], sampled: [7, 7] });
  expect(token).toBe(7);
  expect(logprobs!.logprob).toBeCloseTo(REFERENCE[7]!, 6);
  const order = REFERENCE.map((_, i) => i).sort((a, b) => REFERENCE[b]! - REFERENCE[a]! || a - b);
  expect(logprobs!.top.map((entry) => entry.token)).toEqual(order.slice(0, 20));
  for (const { token, logprob } of logprobs!.top) expect(logprob).toBeCloseTo(REFERENCE[token]!, 6);
});

test("ties go to the lower id, and there are never more than tokens", () => {
  const { logprobs } = sample(Float32Array.of(1, 2, 2, 1), compilePlan(options({ logprobs: 20 })), NONE);
  expect(logprobs!.top.map(({ token }) => token)).toEqual([1, 2, 0, 3]);
});

test("0 alternatives gives an empty list, and none asked for no logprobs", () => {
  expect(sample(LOGITS, compilePlan(options({ logprobs: 0 })), NONE).logprobs!.top).toEqual([]);
  expect(sample(LOGITS, compilePlan(options({})), NONE).logprobs).toBeUndefined();
});

test("what is impossible is -9999, never -Infinity", () => {
  const { logprobs } = sample(Float32Array.of(0, -Infinity), compilePlan(options({ logprobs: 2 })), NONE);
  expect(logprobs!.top).toEqual([
    { token: 0, logprob: 0 },
    { token: 1, logprob: -9999 },
  ]);
});

test("of a token that was given: its logprob, its rank and the best ones", () => {
  const order = REFERENCE.map((_, i) => i).sort((a, b) => REFERENCE[b]! - REFERENCE[a]! || a - b);
  for (const rank of [1, 2, 1500, 3000]) {
    const token = order[rank - 1]!;
    const given = tokenLogprobs(LOGITS, token, 5);
    expect(given.rank).toBe(rank);
    expect(given.logprob).toBeCloseTo(REFERENCE[token]!, 6);
    expect(given.top.map((entry) => entry.token)).toEqual(order.slice(0, 5));
  }
});

test("a given token's rank: ties to the lower id, and what is impossible comes last at -9999", () => {
  const row = Float32Array.of(1, 2, 2, -Infinity, -Infinity, -3e38);
  expect([...row.keys()].map((token) => tokenLogprobs(row, token, 0).rank)).toEqual([3, 1, 2, 5, 6, 4]);
  expect(tokenLogprobs(row, 4, 0)).toEqual({ logprob: -9999, rank: 6, top: [] });
  expect(tokenLogprobs(row, 5, 1).logprob).toBe(-9999);
});

test.each([[[1, Number.NaN]], [[Infinity, 1]], [[-Infinity, -Infinity]]])("of %j are a numeric fault", (row) => {
  expect(() => tokenLogprobs(Float32Array.from(row), 0, 1)).toThrow(expect.objectContaining({ code: "numeric_fault" }));
});
