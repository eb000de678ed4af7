// Whatever the logits and the settings: the chosen token is finite and permitted, and the same again the second time.
import { expect, test } from "vitest";
import { compilePlan, type SamplingOptions } from "../../src/sampling/plan.ts";
import { philox4x32 } from "../../src/sampling/rng.ts";
import { createSampler, sample } from "../../src/sampling/sampler.ts";
import { options } from "./options.ts";

const VOCAB = 70;
const HISTORY = {
  prompt: Array.from({ length: 30 }, (_, i) => (i * 7) % 11),
  sampled: [0, 7, 3, 10, 6, 2, 9, 5, 1, 8],
};
const HELD_BACK = new Set([1, 69]);
/** Every third token, and the two that are held back. */
const MASK = new Uint32Array(3);
for (let token = 0; token < VOCAB; token++) {
  if (token % 3 === 0 || HELD_BACK.has(token)) MASK[token >>> 5]! |= 1 << (token & 31);
}

const ROWS: Record<string, (token: number) => number> = {
  "random logits": (token) => philox4x32([token, 0, 0, 0], [1, 2])[0] / 2 ** 28 - 8,
  "all equal": () => 3,
  "all 0": () => 0,
  "one finite, permitted": (token) => (token === 33 ? -2 : -Infinity),
  "one finite, held back": (token) => (token === 69 ? 4 : -Infinity),
  "the whole range of f32": (token) => (token % 2 === 0 ? 3.4e38 : -3.4e38),
  "the largest negative numbers": () => -3.4028234663852886e38,
  "differences below 2^-24": (token) => token * 1e-9,
  subnormal: (token) => token * 1e-45,
  "one towering": (token) => (token === 12 ? 1e5 : 0),
};

const STEPS: readonly Partial<SamplingOptions>[] = [
  { logitBias: new Map(Array.from({ length: VOCAB }, (_, token) => [token, token % 2 === 0 ? -100 : 100])) },
  { logitBias: new Map(Array.from({ length: VOCAB }, (_, token) => [token, -100])) },
  { frequencyPenalty: 2, presencePenalty: 2 },
  { frequencyPenalty: -2, presencePenalty: -2 },
  { repetitionPenalty: 1e-30 },
  { repetitionPenalty: 1e30 },
  { dry: { multiplier: 1e30, base: 1e30, allowedLength: 0, breakers: new Set([7]) } },
  { masked: true },
  { minTokens: { count: 1000, heldBack: HELD_BACK } },
  { topNSigma: 1e-6 },
  { topK: 1 },
  { topP: 0 },
  { minP: 1 },
  { typicalP: 0 },
  { typicalP: 0.5 },
  { xtc: { probability: 1, threshold: 0 } },
  { xtc: { probability: 1, threshold: 1e-6 } },
];
const TOGETHER: readonly Partial<SamplingOptions>[] = [
  Object.assign({}, ...STEPS),
  Object.assign({}, ...STEPS, { topNSigma: 3, topK: 50, topP: 0.99, minP: 1e-9, typicalP: 0.99 }),
  Object.assign({}, ...[...STEPS].reverse(), { topNSigma: 10, topK: 60, topP: 0.999, minP: 1e-20 }),
];

const CASES = Object.keys(ROWS).flatMap((name) => [1e-9, 0, 0.7, 2].map((temperature) => [name, temperature] as const));

test.each(CASES)("%s, temperature %d, each step alone and all together", (name, temperature) => {
  const row = Float32Array.from({ length: VOCAB }, (_, token) => ROWS[name]!(token));
  const sampler = createSampler(VOCAB);
  for (const change of [{}, ...STEPS, ...TOGETHER]) {
    const mask = change.masked ? MASK : undefined;
    const permitted = [...row.keys()].filter(
      (token) => row[token]! > -Infinity && (!change.masked || ((MASK[token >>> 5]! >>> (token & 31)) & 1) === 1),
    );
    const free = permitted.filter((token) => !change.minTokens?.heldBack.has(token));
    for (let seed = 0n; seed < 10n; seed++) {
      const plan = compilePlan(options({ ...change, temperature, seed, logprobs: 3 }));
      const result = sampler.sample(row, plan, HISTORY, mask);
      expect(free.length > 0 ? free : permitted).toContain(result.token);
      expect(sample(row, plan, HISTORY, mask)).toEqual(result);
      for (const { logprob } of [result.logprobs!, ...result.logprobs!.top]) {
        expect(logprob).toBeGreaterThanOrEqual(-9999);
        expect(logprob).toBeLessThanOrEqual(0);
      }
    }
  }
});
