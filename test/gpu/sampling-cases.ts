// The settings that GPU sampling is judged by, the logits they meet, and a bench that runs the kernels over them. The judge is
// the CPU sampler.
import { invariant } from "../../src/base/invariant.ts";
import { type OwnedBuffer, USAGE } from "../../src/gpu/buffers.ts";
import type { Device } from "../../src/gpu/device.ts";
import { createReadback } from "../../src/gpu/readback.ts";
import { record } from "../../src/gpu/recorder.ts";
import {
  readSampleResult,
  SAMPLE_ENTRY_WORDS,
  SAMPLE_RESULT_WORDS,
  SAMPLE_ROW_WORDS,
  sampleEntries,
  writeSampleEntries,
  writeSampleRow,
} from "../../src/kernels/sample-rows.ts";
import { createGpuSampler } from "../../src/runtime/gpu-sampler.ts";
import { compilePlan, type SamplingOptions, type SamplingPlan } from "../../src/sampling/plan.ts";
import type { Sampled, TokenHistory } from "../../src/sampling/sampler.ts";
import { options } from "../sampling/options.ts";
import { gaussians } from "./run-kernel.ts";

export const ROWS = 16;
const MOST_ENTRIES = 4096;

/** What a request may set, alone and together. */
export const SETTINGS: readonly Partial<SamplingOptions>[] = [
  {},
  { temperature: 0 },
  { temperature: 0.2 },
  { temperature: 1.7 },
  { temperature: 1e-9 },
  { topK: 1 },
  { topK: 40 },
  { topK: 5, temperature: 2 },
  { topK: 1_000_000 },
  { topP: 0 },
  { topP: 0.1 },
  { topP: 0.9 },
  { topP: 0.999_999 },
  { topP: 0.95, temperature: 1.5 },
  { minP: 0.05 },
  { minP: 1 },
  { minP: 1e-9 },
  { topK: 50, topP: 0.9, minP: 0.02, temperature: 0.8 },
  { topK: 200, topP: 0.5 },
  {
    logitBias: new Map([
      [0, 5],
      [1, -100],
      [2, 100],
      [9_999_999, 3],
    ]),
  }, // prettier-ignore
  { logitBias: new Map([[3, 100]]), temperature: 0 },
  { frequencyPenalty: 0.7, presencePenalty: -0.4 },
  { frequencyPenalty: 2, temperature: 0 },
  { repetitionPenalty: 1.3 },
  { repetitionPenalty: 0.8, temperature: 0 },
  { logprobs: 0 },
  { logprobs: 20, temperature: 0 },
  { logprobs: 5, topP: 0.9 },
  {
    logitBias: new Map([[5, 1.5]]),
    frequencyPenalty: 0.3,
    presencePenalty: 0.2,
    repetitionPenalty: 1.1,
    temperature: 1.2,
    topK: 100,
    topP: 0.97,
    minP: 0.001,
    logprobs: 20,
    choice: 3,
  },
];

/** Rows of logits by kind, [vocabSize]. */
export const LOGITS = {
  spread: (vocabSize: number, seed: number) => gaussians(vocabSize, seed, 3),
  flat: (vocabSize: number, seed: number) => gaussians(vocabSize, seed, 0.01),
  /** Many equal ones. */
  tied: (vocabSize: number, seed: number) => gaussians(vocabSize, seed, 2).map(Math.round),
  equal: (vocabSize: number) => new Float32Array(vocabSize),
  peaked: (vocabSize: number, seed: number) => {
    const logits = gaussians(vocabSize, seed, 2);
    for (let rank = 0; rank < 5; rank++) logits[(seed * 7919 + rank * 104_729) % vocabSize]! += 14 - 2 * rank;
    return logits;
  },
  ruledOut: (vocabSize: number, seed: number) =>
    gaussians(vocabSize, seed, 3).map((logit, token) => (token % 3 === 0 ? logit : -Infinity)),
  huge: (vocabSize: number, seed: number) => gaussians(vocabSize, seed, 3e37),
} as const satisfies Record<string, (vocabSize: number, seed: number) => Float32Array>;

export interface SampleCase {
  readonly logits: Float32Array;
  readonly plan: SamplingPlan;
  readonly history: TokenHistory;
}

export function sampleCase(logits: Float32Array, settings: Partial<SamplingOptions>, seed: number): SampleCase {
  const plan = compilePlan(options({ seed: BigInt(seed) * 0x9e37_79b9_7f4an, ...settings }));
  const pick = (index: number) => (index * index * 31 + seed) % logits.length;
  const sampled = Array.from({ length: seed % 60 }, (_, index) => pick(index % 23));
  return { logits, plan, history: { prompt: Array.from({ length: 40 }, (_, index) => pick(index + 100)), sampled } };
}

export interface SampleBench {
  /** Up to ROWS cases. @throws EngineError `numeric_fault` */
  sample(cases: readonly SampleCase[]): Promise<Sampled[]>;
  dispose(): void;
}

export async function openSampleBench(device: Device, vocabSize: number): Promise<SampleBench> {
  const owned: OwnedBuffer[] = [];
  const create = async (label: string, words: number) => {
    const usage = USAGE.STORAGE | USAGE.COPY_SRC | USAGE.COPY_DST;
    const buffer = await device.buffers.create({ label, byteLength: words * 4, usage });
    owned.push(buffer);
    return buffer;
  };
  const logits = await create("logits", ROWS * vocabSize);
  const rows = await create("rows", ROWS * SAMPLE_ROW_WORDS);
  const entries = await create("entries", MOST_ENTRIES * SAMPLE_ENTRY_WORDS);
  const results = await create("results", ROWS * SAMPLE_RESULT_WORDS + ROWS);
  const sampler = await createGpuSampler(device, vocabSize, ROWS, { logits, rows, entries, results });
  const readback = await createReadback(device, (ROWS * SAMPLE_RESULT_WORDS + ROWS) * 4, 1);
  const rowWords = new Uint32Array(ROWS * SAMPLE_ROW_WORDS);
  const entryWords = new Uint32Array(MOST_ENTRIES * SAMPLE_ENTRY_WORDS);
  let written: Float32Array[] = [];
  return {
    async sample(cases) {
      let firstEntry = 0;
      cases.forEach(({ logits: own, plan, history }, index) => {
        if (written[index] !== own) device.buffers.write(logits, own.slice(), index * vocabSize * 4);
        const changed = sampleEntries(plan, history, vocabSize);
        writeSampleEntries(entryWords, firstEntry * SAMPLE_ENTRY_WORDS, changed, plan);
        const place = ROWS * SAMPLE_RESULT_WORDS + index;
        const sources = { logitsRow: index, firstEntry, entryCount: changed.length, place };
        writeSampleRow(rowWords, index * SAMPLE_ROW_WORDS, plan, history, vocabSize, sources);
        firstEntry += changed.length;
      });
      written = cases.map((each) => each.logits);
      device.buffers.write(rows, rowWords);
      device.buffers.write(entries, entryWords.slice(0, Math.max(1, firstEntry) * SAMPLE_ENTRY_WORDS));
      const recorder = record(device);
      sampler.record(recorder, cases.length);
      const pending = readback.copy(recorder, results);
      recorder.submit();
      const words = new Uint32Array(await pending.read());
      return cases.map(({ plan }, index) => {
        const sampled = readSampleResult(words, index * SAMPLE_RESULT_WORDS, plan, vocabSize);
        invariant(words[ROWS * SAMPLE_RESULT_WORDS + index] === sampled.token, "later steps find another token");
        return sampled;
      });
    },
    dispose() {
      readback.dispose();
      sampler.free();
      for (const buffer of owned) buffer.free();
    },
  };
}
