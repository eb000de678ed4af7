// Draws: what they depend on and what they do not, and what is refused. Their distribution: distribution.test.ts.
import { expect, test } from "vitest";
import { compilePlan, type SamplingOptions } from "../../src/sampling/plan.ts";
import { philox4x32 } from "../../src/sampling/rng.ts";
import { createSampler, sample } from "../../src/sampling/sampler.ts";
import { options } from "./options.ts";

const PROBABILITIES = [0.02, 0.3, 0.05, 0.13, 0.2, 0.01, 0.25, 0.04];
const LOGITS = Float32Array.from(PROBABILITIES, (probability) => Math.log(probability) + 3);
const DRAWS = 100_000;

/** `count` zeros, without making them: a history of which only the length matters. */
const ofLength = (length: number): ArrayLike<number> => ({ length });

test("along an answer, draws follow the distribution", () => {
  const plan = compilePlan(options({ seed: 20260101n }));
  const counts = PROBABILITIES.map(() => 0);
  for (let i = 0; i < DRAWS; i++) counts[sample(LOGITS, plan, { prompt: [], sampled: ofLength(i) }).token]!++;
  const chiSquare = PROBABILITIES.reduce((sum, p, token) => sum + (counts[token]! - DRAWS * p) ** 2 / (DRAWS * p), 0);
  expect(chiSquare).toBeLessThan(24.32); // the 0.999 quantile for 7 degrees of freedom
});

test("a draw depends on seed, choice and index, and on nothing else", () => {
  const draw = (change: Partial<SamplingOptions>, index = 0): number[] =>
    Array.from({ length: 64 }, (_, i) => {
      const history = { prompt: [1, 2], sampled: ofLength(index + i) };
      return sample(LOGITS, compilePlan(options(change)), history).token;
    });
  const first = draw({});
  expect(draw({})).toEqual(first);
  expect(draw({ seed: 43n })).not.toEqual(first);
  expect(draw({ seed: 42n + (1n << 32n) })).not.toEqual(first);
  expect(draw({ choice: 1 })).not.toEqual(first);
  expect(draw({}, 1)).not.toEqual(first);
  expect(draw({}, 1).slice(0, 63)).toEqual(first.slice(1));
});

test("the draw is the arg max of logit + Gumbel noise in float64, whatever order tokens are looked at", () => {
  const vocabSize = 5000;
  const logits = Float32Array.from({ length: vocabSize }, (_, i) => philox4x32([i, 9, 0, 0], [1, 1])[0] / 2 ** 29);
  const plan = compilePlan(options({ seed: -5n, choice: 3, temperature: 0.9 }));
  for (let index = 0; index < 50; index++) {
    let best = -Infinity;
    let winner = -1;
    for (let token = vocabSize - 1; token >= 0; token--) {
      const bits = philox4x32([token >>> 2, index, 3, 0], [0xfffffffb, 0xffffffff])[token & 3]!;
      const score = logits[token]! / 0.9 - Math.log(-Math.log((bits + 0.5) / 2 ** 32));
      if (score > best) [best, winner] = [score, token];
    }
    expect(sample(logits, plan, { prompt: [], sampled: ofLength(index) }).token).toBe(winner);
  }
});

test("noise belongs to the token: removing others changes no score, so the winner stays unless it is removed", () => {
  const logits = Float32Array.from({ length: 64 }, (_, i) => philox4x32([i, 4, 0, 0], [2, 2])[0] / 2 ** 30);
  for (let index = 0; index < 200; index++) {
    const history = { prompt: [], sampled: ofLength(index) };
    const { token } = sample(logits, compilePlan(options({})), history);
    const fewer = Float32Array.from(logits, (logit, i) => (i === token || i % 3 === index % 3 ? logit : -Infinity));
    expect(sample(fewer, compilePlan(options({})), history).token).toBe(token);
  }
});

test("greedy takes the best token, ties to the lower id", () => {
  const greedy = compilePlan(options({ temperature: 0 }));
  const none = { prompt: [], sampled: [] };
  expect(sample(Float32Array.of(1, 5, 5, 2), greedy, none).token).toBe(1);
  expect(sample(Float32Array.of(-Infinity, -2, -1), greedy, none).token).toBe(2);
});

test("top_p 0, top_k 1 and a tiny temperature all give the greedy token", () => {
  for (const change of [{ topP: 0 }, { topK: 1 }, { temperature: 1e-40 }, { minP: 1 }]) {
    for (let seed = 0n; seed < 20n; seed++) {
      expect(sample(LOGITS, compilePlan(options({ ...change, seed })), { prompt: [], sampled: [] }).token).toBe(1);
    }
  }
});

test("a mask wins over any bias", () => {
  const masked = { masked: true, logitBias: new Map([[0, 100]]) };
  const mask = Uint32Array.of(0b1010);
  for (let seed = 0n; seed < 50n; seed++) {
    const plan = compilePlan(options({ ...masked, seed }));
    expect([1, 3]).toContain(sample(LOGITS, plan, { prompt: [], sampled: [] }, mask).token);
  }
});

test("a mask that allows nothing is a dead end", () => {
  const plan = compilePlan(options({ masked: true }));
  const history = { prompt: [], sampled: [] };
  expect(() => sample(LOGITS, plan, history, Uint32Array.of(0))).toThrow(
    expect.objectContaining({ code: "grammar_dead_end" }),
  );
});

test.each([
  ["NaN", [1, Number.NaN, 2]],
  ["+Infinity", [1, Number.POSITIVE_INFINITY]],
  ["no finite logit", [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY]],
])("%s is a numeric fault", (_, logits) => {
  for (const temperature of [0, 1]) {
    expect(() =>
      sample(Float32Array.from(logits), compilePlan(options({ temperature })), { prompt: [], sampled: [] }),
    ).toThrow(expect.objectContaining({ code: "numeric_fault" }));
  }
});

test("a sampler that is kept gives what the pure function gives", () => {
  const sampler = createSampler(LOGITS.length);
  const plan = compilePlan(options({ topP: 0.9, presencePenalty: 0.5 }));
  for (let length = 0; length < 100; length++) {
    const history = { prompt: [3], sampled: Array.from({ length }, (_, i) => i % 5) };
    expect(sampler.sample(LOGITS, plan, history)).toEqual(sample(LOGITS, plan, history));
  }
});
