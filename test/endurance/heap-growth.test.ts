import { expect, test } from "vitest";
import { growthPerThousand, type HeapSample } from "./heap-growth.ts";

const samples = (bytesAt: (calls: number) => number): HeapSample[] =>
  [100, 200, 300, 400, 500].map((calls) => ({ calls, bytes: bytesAt(calls) }));

test.each([
  ["a level heap does not grow", samples(() => 25e6), 0],
  ["2 kB a call are 2 MB per 1,000 calls", samples((calls) => 25e6 + 2000 * calls), 2],
  ["one that shrinks grows by less than nothing", samples((calls) => 25e6 - 500 * calls), -0.5],
  ["noise around a level that is the same at both ends cancels", samples((calls) => 25e6 + (calls % 200)), 0],
])("%s", (_, heap, expected) => {
  expect(growthPerThousand(heap)).toBeCloseTo(expected, 9);
});

test("one sample has no slope", () => {
  expect(growthPerThousand(samples(() => 1).slice(1, 2))).toBeNaN();
});
