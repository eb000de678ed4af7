import { expect, test } from "vitest";
import { createPace } from "../../src/runtime/pace.ts";

test("before anything was measured a part is small, and never nothing", () => {
  expect(createPace().dispatchesFor(24, 320)).toBe(20);
  expect(createPace().dispatchesFor(24, 3)).toBe(1);
});

test("a part takes as many dispatches as the last ones took the time for", () => {
  const pace = createPace();
  pace.took(20, 10);
  expect(pace.dispatchesFor(24, 320)).toBe(48);
  expect(pace.dispatchesFor(250, 320)).toBe(320);
  expect(pace.dispatchesFor(0.1, 320)).toBe(1);
});

test("a slower machine is noticed, one slow part does not count for all", () => {
  const pace = createPace();
  pace.took(20, 10);
  pace.took(20, 30);
  expect(pace.dispatchesFor(24, 320)).toBe(24);
  for (let part = 0; part < 8; part++) pace.took(20, 30);
  expect(pace.dispatchesFor(24, 320)).toBe(16);
});

test("parts that took no time at all make no division by nothing", () => {
  const pace = createPace();
  pace.took(20, 0);
  expect(pace.dispatchesFor(24, 320)).toBe(320);
});
