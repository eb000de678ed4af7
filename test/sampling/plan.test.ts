// The plan's order and what is left out of it.
import { expect, test } from "vitest";
import { compilePlan, SAMPLING_STEPS } from "../../src/sampling/plan.ts";
import { options } from "./options.ts";

const namesOf = (change: Parameters<typeof options>[0]): string[] =>
  compilePlan(options(change)).steps.map(({ name }) => name);

test("there is one order", () => {
  expect(SAMPLING_STEPS).toEqual([
    ...["logprobs", "logit_bias", "repetition_penalty", "penalties", "dry", "mask", "min_tokens", "greedy"],
    ...["top_n_sigma", "temperature", "top_k", "top_p", "min_p", "typical_p", "xtc", "draw"],
  ]);
});

/** Options under which every step that can act does. */
const ALL = {
  ...{ temperature: 0.5, topK: 3, topP: 0.5, minP: 0.1, typicalP: 0.9, topNSigma: 1 },
  ...{ frequencyPenalty: 1, repetitionPenalty: 2, logitBias: new Map([[1, 1]]), logprobs: 0, masked: true },
  dry: { multiplier: 0.8, base: 1.75, allowedLength: 2, breakers: new Set<number>() },
  xtc: { probability: 0.5, threshold: 0.1 },
  minTokens: { count: 1, heldBack: new Set([2]) },
};

test("a plan with everything has every step but greedy", () => {
  expect(namesOf(ALL)).toEqual(SAMPLING_STEPS.filter((name) => name !== "greedy"));
});

test("steps that would do nothing are left out", () => {
  expect(namesOf({})).toEqual(["draw"]);
  expect(namesOf({ topK: 0, topP: 1, minP: 0, typicalP: 1, topNSigma: 0, temperature: 1 })).toEqual(["draw"]);
  expect(namesOf({ dry: { ...ALL.dry, multiplier: 0 } })).toEqual(["draw"]);
  expect(namesOf({ minTokens: { count: 0, heldBack: new Set([2]) } })).toEqual(["draw"]);
  expect(namesOf({ presencePenalty: -1 })).toEqual(["penalties", "draw"]);
});

test("temperature 0 is greedy: filters could only keep its choice", () => {
  expect(namesOf({ temperature: 0, topK: 5, topP: 0.5, minP: 0.5 })).toEqual(["greedy"]);
  expect(namesOf({ temperature: 0, presencePenalty: 1, masked: true })).toEqual(["penalties", "mask", "greedy"]);
  expect(namesOf({ ...ALL, temperature: 0 })).toEqual(SAMPLING_STEPS.slice(0, SAMPLING_STEPS.indexOf("greedy") + 1));
});
