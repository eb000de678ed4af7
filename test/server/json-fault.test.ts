import { expect, test } from "vitest";
import { jsonFault } from "../../src/server/json-fault.ts";

const FAULTS: [text: string, at: number][] = [
  ["", 0],
  ["{", 1],
  ['{"a"', 4],
  ['{"a":', 5],
  ['{"a":1', 6],
  ['"a', 2],
  ['{"a":1,}', 7],
  ["{'a':1}", 1],
  ["{a:1}", 1],
  ['{"a";1}', 4],
  ['{"a":01}', 6],
  ['{"a":1.}', 6],
  ['{"a":+1}', 5],
  ['{"a":"b\n"}', 7],
  ['{"a":"b\\x"}', 7],
  ['{"a":"\\u12"}', 6],
  ["{} {}", 3],
  ["[1,]", 3],
  ["[1 2]", 3],
  ["[1}", 2],
  ["nul", 0],
  ["NaN", 0],
]; // biome-ignore format: a table
test.each(FAULTS)("%j fails at %d", (text, at) => {
  expect(() => JSON.parse(text)).toThrow();
  expect(jsonFault(text)).toBe(at);
});

const SOUND = [
  " null ",
  "-0.5e-7",
  '"\\ud83d\\n\u2028/"',
  "[]",
  "{ }",
  '\t[1,{"a":[true,false,""],"b":{}}]\r\n',
  `"${"a".repeat(1 << 20)}"`,
  `${"[".repeat(1e5)}${"]".repeat(1e5)}`,
];
test("what JSON.parse takes has no fault, long or deep as it may be", () => {
  for (const text of SOUND) {
    JSON.parse(text);
    expect(jsonFault(text)).toBeUndefined();
  }
});

test("faults are found exactly where JSON.parse finds some: every cut and every changed character of a text", () => {
  const text = '{"a":[1,-2.5e3,"x\\u00e9\\""],"b":{"c":null,"d":[true,{}]}}';
  const variants = [...text].flatMap((_, at) => [
    text.slice(0, at),
    ...[...'{}[]:,"\\0x '].map((character) => text.slice(0, at) + character + text.slice(at + 1)),
  ]);
  const wrong = variants.filter((variant) => (jsonFault(variant) === undefined) !== isJson(variant));
  expect(wrong).toEqual([]);
});

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
