// Sampling options that do nothing but draw, to be changed by each test.
import type { SamplingOptions } from "../../src/sampling/plan.ts";

export function options(change: Partial<SamplingOptions>): SamplingOptions {
  return {
    temperature: 1,
    topP: 1,
    frequencyPenalty: 0,
    presencePenalty: 0,
    repetitionPenalty: 1,
    logitBias: new Map(),
    seed: 42n,
    choice: 0,
    ...change,
  };
}
