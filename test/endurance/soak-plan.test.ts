import { expect, test } from "vitest";
import { plannedCall } from "./soak-plan.ts";

const calls = (seed: number) => Array.from({ length: 400 }, (_, index) => plannedCall(seed, index));

test("a call is the same whenever it is planned again, and another under another seed", () => {
  expect(calls(3)).toEqual(calls(3));
  expect(calls(3)).not.toEqual(calls(4));
});

test("calls of every kind come, streamed and not, of one choice and of more than fit one step", () => {
  const planned = calls(1);
  expect(new Set(planned.map(({ ends }) => ends.kind))).toEqual(
    new Set(["whole", "canary", "slow", "abort", "leave", "refused"]),
  );
  expect(new Set(planned.map(({ stream }) => stream)).size).toBe(2);
  expect(new Set(planned.map(({ params }) => params["n"]))).toEqual(new Set([0, 1, 2, 3, 5, 20]));
});

test("the canary's request is the same under every seed", () => {
  const canaries = [...calls(1), ...calls(2)].filter(({ ends }) => ends.kind === "canary");
  expect(new Set(canaries.map(({ params }) => JSON.stringify(params))).size).toBe(1);
});
