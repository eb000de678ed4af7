// The plan's order and what is left out of it.
import { expect, test } from "vitest";
import { compilePlan, SAMPLING_STEPS } from "../../src/sampling/plan.ts";
import { options } from "./options.ts";

const namesOf = (change: Parameters<typeof options>[0]): string[] =>
  compilePlan(options(change)).steps.map(({ name }) => name);

test("there is one order", () => {
  expect(SAMPLING_STEPS).toEqual([
    ...["logprobs", "logit_bias", "penalties", "repetition_penalty", "mask", "greedy"],
    ...["temperature", "top_k", "top_p", "min_p", "draw"],
  ]);
});

test("a plan with everything has every step but greedy", () => {
  const all = { temperature: 0.5, topK: 3, topP: 0.5, minP: 0.1, frequencyPenalty: 1, repetitionPenalty: 2 };
  const names = namesOf({ ...all, logitBias: new Map([[1, 1]]), logprobs: 0, masked: true });
  expect(names).toEqual(SAMPLING_STEPS.filter((name) => name !== "greedy"));
});

test("steps that would do nothing are left out", () => {
  expect(namesOf({})).toEqual(["draw"]);
  expect(namesOf({ topK: 0, topP: 1, minP: 0, temperature: 1 })).toEqual(["draw"]);
  expect(namesOf({ presencePenalty: -1 })).toEqual(["penalties", "draw"]);
});

test("temperature 0 is greedy: filters could only keep its choice", () => {
  expect(namesOf({ temperature: 0, topK: 5, topP: 0.5, minP: 0.5 })).toEqual(["greedy"]);
  expect(namesOf({ temperature: 0, presencePenalty: 1, masked: true })).toEqual(["penalties", "mask", "greedy"]);
});
