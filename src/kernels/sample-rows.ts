// What the three sampling kernels (sample-adjust, sample-weigh, sample-choose, in this order) are told and what they answer,
// as words. They pick the token that sampling/sampler.ts picks of the same logits, and leave what its logprobs are made of.

import { inverseTemperature } from "../sampling/candidates.ts";
import { minPDistance, shareQ32 } from "../sampling/filters.ts";
import { COARSE_WEIGHTS, FINE_WEIGHTS, MAX_DISTANCE } from "../sampling/fixed-point.ts";
import { brokenLogit, noFiniteLogit } from "../sampling/logits.ts";
import { logprobOf, logSumOf } from "../sampling/logprobs.ts";
import type { SamplingPlan, SamplingStepName } from "../sampling/plan.ts";
import { keyOfSeed } from "../sampling/rng.ts";
import type { Sampled, TokenHistory } from "../sampling/sampler.ts";

/** The steps that the kernels carry out; a plan with any other is the CPU sampler's. */
export const GPU_SAMPLING_STEPS: readonly SamplingStepName[] = [
  "logprobs",
  "logit_bias",
  "repetition_penalty",
  "penalties",
  "greedy",
  "temperature",
  "top_k",
  "top_p",
  "min_p",
  "draw",
];
/** Most alternatives beside the chosen token. */
export const MOST_ALTERNATIVES = 20;
/** The largest vocabulary that the kernels work on. */
export const MOST_SAMPLED_TOKENS = 512 * 1024;

export const SAMPLE_ROW_WORDS = 17;
export const SAMPLE_ENTRY_WORDS = 4;
export const SAMPLE_RESULT_WORDS = 64;

/** Tokens that one workgroup works on. */
const BLOCK = 1024;
const LARGEST_WORDS = 5;
const BEST_WORDS = 5;
const HISTOGRAM_WORDS = 3 * 1728;

export function sampleBlocks(vocabSize: number): number {
  return Math.ceil(vocabSize / BLOCK);
}

/** Words of what one kernel leaves for the next. */
export function sampleScratch(vocabSize: number, rows: number) {
  const blocks = rows * sampleBlocks(vocabSize);
  return {
    scores: blocks * BLOCK,
    largest: blocks * LARGEST_WORDS,
    best: blocks * BEST_WORDS,
    histogram: rows * HISTOGRAM_WORDS,
  };
}

/** e^-x by a coarse and a fine table, as sampling/fixed-point.ts has them. */
export function sampleWeights(): Uint32Array<ArrayBuffer> {
  const weights = new Uint32Array(COARSE_WEIGHTS.length + FINE_WEIGHTS.length);
  weights.set(COARSE_WEIGHTS);
  weights.set(FINE_WEIGHTS, COARSE_WEIGHTS.length);
  return weights;
}

const FLAGS = { greedy: 1, logprobs: 2, topK: 4, topP: 8 } as const;
const ENTRY_FLAGS = { repeated: 1, sampled: 2 } as const;

/** What changes the logit of one token. */
export interface SampleEntry {
  readonly token: number;
  readonly bias: number;
  /** Times that the token was sampled; undefined where no penalty asks. */
  readonly count: number | undefined;
  readonly repeated: boolean;
}

/** The tokens whose logits the plan changes, ascending, each once. */
export function sampleEntries(plan: SamplingPlan, history: TokenHistory, vocabSize: number): SampleEntry[] {
  const acts = new Set(plan.steps.map(({ name }) => name));
  const { prompt, sampled } = history;
  const counts = new Map<number, number>();
  if (acts.has("penalties")) {
    for (let i = 0; i < sampled.length; i++) counts.set(sampled[i]!, (counts.get(sampled[i]!) ?? 0) + 1);
  }
  const repeated = new Set<number>();
  if (acts.has("repetition_penalty")) {
    for (const ids of [prompt, sampled]) for (let i = 0; i < ids.length; i++) repeated.add(ids[i]!);
  }
  const { logitBias } = plan.options;
  if (counts.size + repeated.size + logitBias.size === 0) return [];
  const tokens = new Set([...counts.keys(), ...repeated, ...logitBias.keys()]);
  return Uint32Array.from(tokens)
    .sort()
    .reduce<SampleEntry[]>((entries, token) => {
      if (token < vocabSize)
        entries.push({
          token,
          bias: logitBias.get(token) ?? 0,
          count: counts.get(token),
          repeated: repeated.has(token),
        });
      return entries;
    }, []);
}

/** Writes the entries as `entries` of sample-adjust, from word `at` on. */
export function writeSampleEntries(
  words: Uint32Array,
  at: number,
  entries: readonly SampleEntry[],
  { options }: SamplingPlan,
): void {
  const floats = new Float32Array(words.buffer, words.byteOffset, words.length);
  const perOccurrence = Math.fround(options.frequencyPenalty);
  entries.forEach(({ token, bias, count, repeated }, index) => {
    const word = at + index * SAMPLE_ENTRY_WORDS;
    words[word] = token;
    floats[word + 1] = bias;
    floats[word + 2] = (count ?? 0) * perOccurrence;
    words[word + 3] = (repeated ? ENTRY_FLAGS.repeated : 0) | (count === undefined ? 0 : ENTRY_FLAGS.sampled);
  });
}

/** Where a row's logits and entries are, and the word of the results that is to have its token beside its own. */
export interface SampleSources {
  readonly logitsRow: number;
  readonly firstEntry: number;
  readonly entryCount: number;
  readonly place: number;
}

/** Writes `Row` of the kernels at word `at`. */
export function writeSampleRow(
  words: Uint32Array,
  at: number,
  plan: SamplingPlan,
  history: TokenHistory,
  vocabSize: number,
  { logitsRow, firstEntry, entryCount, place }: SampleSources,
): void {
  const floats = new Float32Array(words.buffer, words.byteOffset, words.length);
  const { options } = plan;
  const acts = new Set(plan.steps.map(({ name }) => name));
  const [key0, key1] = keyOfSeed(options.seed);
  words[at] = logitsRow;
  words[at + 1] =
    (acts.has("greedy") ? FLAGS.greedy : 0) |
    (acts.has("logprobs") ? FLAGS.logprobs : 0) |
    (acts.has("top_k") ? FLAGS.topK : 0) |
    (acts.has("top_p") ? FLAGS.topP : 0);
  floats[at + 2] = acts.has("temperature") ? inverseTemperature(options.temperature) : 1;
  words[at + 3] = Math.min(options.topK ?? 0, vocabSize);
  words[at + 4] = shareQ32(options.topP);
  words[at + 5] = acts.has("min_p") ? minPDistance(options.minP!) : MAX_DISTANCE;
  words[at + 6] = key0;
  words[at + 7] = key1;
  words[at + 8] = history.sampled.length;
  words[at + 9] = options.choice;
  words[at + 10] = firstEntry;
  words[at + 11] = entryCount;
  floats[at + 12] = options.repetitionPenalty;
  floats[at + 13] = 1 / options.repetitionPenalty;
  floats[at + 14] = options.presencePenalty;
  words[at + 15] = Math.min(options.logprobs ?? 0, MOST_ALTERNATIVES, vocabSize);
  words[at + 16] = place;
}

/**
 * What the CPU sampler would have given, from the words at `at` that sample-choose left.
 * @throws EngineError `numeric_fault` as the CPU sampler does
 */
export function readSampleResult(words: Uint32Array, at: number, plan: SamplingPlan, vocabSize: number): Sampled {
  const floats = new Float32Array(words.buffer, words.byteOffset, words.length);
  const broken = words[at + 2]!;
  if (broken < vocabSize) throw brokenLogit(broken, vocabSize, floats[at + 3]!);
  const largest = floats[at + 4]!;
  if (largest === -Infinity) throw noFiniteLogit(vocabSize);
  const token = words[at]!;
  if (plan.options.logprobs === undefined) return { token };
  const logSum = logSumOf(words[at + 6]! * 2 ** 32 + words[at + 5]!, largest);
  const length = Math.min(plan.options.logprobs, MOST_ALTERNATIVES, vocabSize);
  const top = Array.from({ length }, (_, rank) => ({
    token: words[at + RESULT_TOP + 2 * rank]!,
    logprob: logprobOf(floats[at + RESULT_TOP + 2 * rank + 1]!, logSum),
  }));
  return { token, logprobs: { logprob: logprobOf(floats[at + 1]!, logSum), top } };
}

const RESULT_TOP = 8;
