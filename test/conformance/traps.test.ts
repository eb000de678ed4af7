// The traps that servers have fallen into (section 7 of the contract), by number: each is tested here, or waits for a feature
// that is refused until it comes. What is about HTTP is tested by the conformance suite under the same number.
import { describe, expect, test } from "vitest";
import { CHECKS_OF_SCRIPTS } from "./openai/checks.ts";
import { expectRefused, type Traps } from "./trap.ts";
import { ERROR_TRAPS } from "./traps-errors.ts";
import { REQUEST_TRAPS } from "./traps-requests.ts";
import { TEXT_TRAPS } from "./traps-text.ts";

const TRAPS: Traps = { ...TEXT_TRAPS, ...REQUEST_TRAPS, ...ERROR_TRAPS };
const COUNT = 34;

test("every trap has its place, and a test or a reason to wait", () => {
  expect(Object.keys(TRAPS).map(Number)).toEqual(Array.from({ length: COUNT }, (_, index) => index + 1));
  const empty = Object.entries(TRAPS).filter(
    ([, { tests = {}, pending }]) => !pending && Object.keys(tests).length === 0,
  );
  expect(empty).toEqual([]);
});

test("the conformance suite has a test of every trap that is about HTTP", () => {
  const ofHttp = Object.entries(TRAPS).filter(([, { http }]) => http);
  const checked = new Set(CHECKS_OF_SCRIPTS.map(({ trap }) => trap));
  expect(ofHttp.map(([number]) => Number(number)).filter((number) => !checked.has(number))).toEqual([]);
});

for (const [number, { name, tests = {}, pending }] of Object.entries(TRAPS)) {
  describe(`trap ${number}: ${name}`, () => {
    for (const [claim, run] of Object.entries(tests)) test(claim, run);
    if (pending) test(`${pending}: refused by name until it comes`, () => expectRefused(pending));
  });
}
