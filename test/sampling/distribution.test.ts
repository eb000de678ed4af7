// Every step, alone and together: 20,000 draws follow the distribution that the float64 reference computes.
import { expect, test } from "vitest";
import { compilePlan, SAMPLING_STEPS, type SamplingOptions } from "../../src/sampling/plan.ts";
import { createSampler } from "../../src/sampling/sampler.ts";
import { options } from "./options.ts";
import { referenceDistribution } from "./reference.ts";

const PROBABILITIES = [0.02, 0.27, 0.05, 0.13, 0.19, 0.011, 0.22, 0.04, 0.03, 0.015, 0.009, 0.015];
const LOGITS = Float32Array.from(PROBABILITIES, (probability) => Math.log(probability) + 3);
const HISTORY = { prompt: [1, 4, 6, 3, 8, 1, 4], sampled: [6, 7, 1, 4, 6] };
const DRAWS = 20_000;
/** Of which one bit is 0: token 4. */
const MASK = Uint32Array.of(0xfff & ~(1 << 4));

const DRY = { multiplier: 0.4, base: 1.5, allowedLength: 2, breakers: new Set([8]) };
const SETTINGS: readonly Partial<SamplingOptions>[] = [
  {},
  { temperature: 0.6 },
  { temperature: 2 },
  { logitBias: new Map([[5, 3], [1, -2], [6, -100]]) }, // biome-ignore format: a table
  { frequencyPenalty: 0.7, presencePenalty: -0.4 },
  { repetitionPenalty: 1.3 },
  { repetitionPenalty: 0.8, temperature: 1.5 },
  { dry: DRY },
  { dry: { ...DRY, lastTokens: 6, multiplier: 1 } },
  { masked: true },
  { minTokens: { count: 6, heldBack: new Set([1, 11]) } },
  { minTokens: { count: 5, heldBack: new Set([1, 11]) } },
  { topNSigma: 1 },
  { topNSigma: 1.7, temperature: 2 },
  { topK: 5 },
  { topP: 0.75 },
  { topP: 0 },
  { minP: 0.15 },
  { typicalP: 0.5 },
  { typicalP: 0.9, temperature: 0.5 },
  { xtc: { probability: 1, threshold: 0.1 } },
  { xtc: { probability: 0.3, threshold: 0.2 } },
  { topK: 8, topP: 0.9, minP: 0.1, temperature: 1.4 },
  {
    temperature: 1.3,
    logitBias: new Map([[10, 2]]),
    frequencyPenalty: 0.2,
    repetitionPenalty: 1.1,
    dry: { ...DRY, multiplier: 0.1 },
    masked: true,
    minTokens: { count: 10, heldBack: new Set([0]) },
    topNSigma: 2.1,
    topK: 9,
    topP: 0.97,
    minP: 0.05,
    typicalP: 0.95,
    xtc: { probability: 0.5, threshold: 0.12 },
  },
];

/** 0.999 quantiles of chi-square, by degrees of freedom. */
const CRITICAL = [0, 10.83, 13.82, 16.27, 18.47, 20.52, 22.46, 24.32, 26.12, 27.88, 29.59, 31.26];

test.each(SETTINGS.map((change) => [describe(change), change] as const))("%s", (_, change) => {
  const expected = referenceDistribution(LOGITS, options(change), HISTORY, (token) => !change.masked || token !== 4);
  const counts = LOGITS.map(() => 0);
  const sampler = createSampler(LOGITS.length);
  const mask = change.masked ? MASK : undefined;
  for (let seed = 0; seed < DRAWS; seed++) {
    const plan = compilePlan(options({ ...change, seed: BigInt(seed) << 20n }));
    counts[sampler.sample(LOGITS, plan, HISTORY, mask).token]!++;
  }
  let chiSquare = 0;
  let freedom = -1;
  let strays = 0;
  for (const [token, probability] of expected.entries()) {
    if (probability * DRAWS < 0.01) strays += counts[token]!;
    else {
      chiSquare += (counts[token]! - probability * DRAWS) ** 2 / (probability * DRAWS);
      freedom++;
    }
  }
  expect(strays).toBe(0);
  expect(chiSquare).toBeLessThanOrEqual(CRITICAL[freedom]!);
});

test("the settings above use every step but greedy and logprobs, which draw nothing", () => {
  const used = new Set(SETTINGS.flatMap((change) => compilePlan(options(change)).steps.map(({ name }) => name)));
  expect(SAMPLING_STEPS.filter((name) => !used.has(name))).toEqual(["logprobs", "greedy"]);
});

function describe(change: Partial<SamplingOptions>): string {
  const plain = (_: string, value: unknown): unknown =>
    value instanceof Map || value instanceof Set ? [...value] : value;
  return JSON.stringify(change, plain);
}
