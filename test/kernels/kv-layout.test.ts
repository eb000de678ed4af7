import { expect, test } from "vitest";
import { roundToHalf } from "../../src/kernels/kv-layout.ts";

test("what KV pages keep of a number: the nearest half, the largest half, or NaN", () => {
  const kept = [1 / 3, 2049, 2051, -0, 65519, 1e9, -1e9, 2 ** -24, 2 ** -26];
  expect(kept.map(roundToHalf)).toEqual([0.333251953125, 2048, 2052, -0, 65504, 65504, -65504, 2 ** -24, 0]);
  for (const broken of [Number.NaN, Infinity, -Infinity]) expect(roundToHalf(broken)).toBeNaN();
});
