import { expect, test } from "vitest";
import { tooDeepAt } from "../../src/server/json-depth.ts";

const CASES: [text: string, levels: number, at: number | undefined][] = [
  ["[[]]", 2, undefined],
  ["[[]]", 1, 1],
  ['{"a":{"b":1}}', 1, 5],
  ["[[],[],[]]", 2, undefined],
  ['["[[[[",{"{{{{":1}]', 2, undefined],
  ['["\\"[[[["]', 1, undefined],
  ['["\\\\",[[]]]', 2, 7],
  ["]]]][[", 1, undefined],
  ["1", 0, undefined],
];
test.each(CASES)("%s within %d levels: %s", (text, levels, at) => {
  expect(tooDeepAt(text, levels)).toBe(at);
});

test("a million brackets are a matter of one pass", () => {
  expect(tooDeepAt("[".repeat(1_000_000), 512)).toBe(512);
});
