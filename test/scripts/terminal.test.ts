// What a download says while it runs: bytes, rate and time left.
import { expect, test } from "vitest";
import { describeProgress, formatSeconds } from "../../scripts/terminal.ts";

test("progress has bytes, rate and time left; resumed bytes are no speed", () => {
  expect(describeProgress("x", 30e6, 90e6, 20e6, 10)).toBe("x  30.0 MB of 90.0 MB, 2.0 MB/s, 30 s left");
});

test("without a total there is no time left, without a second no rate, and at the end nothing is left", () => {
  expect(describeProgress("x", 5000, undefined, 5000, 1)).toBe("x  5 kB, 5 kB/s");
  expect(describeProgress("x", 0, 1000, 0, 0)).toBe("x  0 B of 1 kB");
  expect(describeProgress("x", 1000, 1000, 1000, 2)).toBe("x  1 kB of 1 kB, 500 B/s");
});

test("times read as a person says them", () => {
  expect([0.04, 9.9, 59, 125].map(formatSeconds)).toEqual(["0.0 s", "9.9 s", "59 s", "2 min 5 s"]);
});
