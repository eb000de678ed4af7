// How long a prompt's segments become, by what they took.
import { expect, test } from "vitest";
import { createSegments } from "../../src/engine/segments.ts";

test("what is too short to say how long more would take is not counted", () => {
  const segments = createSegments(512);
  segments.took(256, 20);
  segments.took(1, 8);
  segments.took(31, 300);
  expect(segments.rows).toBe(512);
});

test.each([
  // most, ms a token in each segment before, tokens of the next
  [512, [], 256],
  [64, [], 64],
  [512, [0.01], 512],
  [512, [1], 256],
  [512, [0.78], 512], // just under 400 ms
  [512, [2], 128],
  [512, [100], 32], // a slow one still computes as many as share their loads
  [512, [2, 2, 0.1, 0.1, 0.1, 0.1], 512], // the load of a machine changes
  [16, [100], 16],
  [512, [0], 512], // a clock of whole milliseconds
])("at most %i, after %j ms a token: %i", (most, each, rows) => {
  const segments = createSegments(most);
  for (const ms of each) segments.took(100, 100 * ms);
  expect(segments.rows).toBe(rows);
});
