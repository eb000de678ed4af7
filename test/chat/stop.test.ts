// Stop strings, against an oracle that looks at the whole text, at every way to cut it.
import { expect, test } from "vitest";
import { createStopMatcher } from "../../src/chat/stop.ts";
import { philox4x32 } from "../../src/sampling/rng.ts";

/** Text before the stop that ends first, the longest of those; or the whole text. */
function oracle(text: string, stops: readonly string[]): { text: string; stopped: boolean } {
  for (let end = 1; end <= text.length; end++) {
    const ending = stops.filter((stop) => stop !== "" && text.slice(0, end).endsWith(stop));
    const length = Math.max(0, ...ending.map((stop) => stop.length));
    if (length > 0) return { text: text.slice(0, end - length), stopped: true };
  }
  return { text, stopped: false };
}

function run(pieces: readonly string[], stops: readonly string[]): { text: string; stopped: boolean } {
  const matcher = createStopMatcher(stops);
  let text = "";
  let stopped = false;
  for (const piece of pieces) {
    const result = matcher.push(piece);
    text += result.text;
    stopped ||= result.stopped;
    if (stopped) break;
  }
  return { text: stopped ? text : text + matcher.flush(), stopped };
}

test.each([
  ["a stop inside", "Hello END there", ["END"]],
  ["at the start", "ENDx", ["END"]],
  ["none", "Hello", ["END"]],
  ["no stops", "Hello", []],
  ["an empty stop", "Hello", [""]],
  ["two, the first in the text wins", "a STOP b END", ["END", "STOP"]],
  ["one inside the other", "xabcdx", ["bc", "abcd"]],
  ["one ending another", "xabcx", ["bc", "abc"]],
  ["a false start before the match", "ababac", ["abac"]],
  ["a start that never ends", "text <|im_", ["<|im_end|>"]],
  ["pairs of surrogates", "a😀b😀c", ["😀c"]],
])("%s: the same at every cut", (_, text, stops) => {
  const expected = oracle(text, stops);
  for (let cut = 0; cut <= text.length; cut++) {
    expect(run([text.slice(0, cut), text.slice(cut)], stops)).toEqual(expected);
  }
  expect(run(text.split(""), stops)).toEqual(expected);
});

test("2,000 random texts over two letters, cut at random", () => {
  for (let trial = 0; trial < 2000; trial++) {
    const words = Array.from({ length: 12 }, (_, i) => philox4x32([trial, i, 0, 0], [5, 5])).flat();
    let next = 0;
    const upTo = (limit: number): number => words[next++ % words.length]! % limit;
    const letters = (length: number): string => Array.from({ length }, () => "ab"[upTo(2)]).join("");
    const stops = Array.from({ length: 1 + upTo(4) }, () => letters(2 + upTo(4)));
    const text = letters(upTo(16));
    const cuts = [upTo(text.length + 1), upTo(text.length + 1)].sort((a, b) => a - b);
    const pieces = [text.slice(0, cuts[0]), text.slice(cuts[0], cuts[1]), text.slice(cuts[1])];
    expect(run(pieces, stops), `${JSON.stringify(pieces)} ${JSON.stringify(stops)}`).toEqual(oracle(text, stops));
  }
});

test("exactly the longest end that could start a stop is held back", () => {
  const matcher = createStopMatcher(["abab!", "bac"]);
  expect(matcher.push("xxab")).toEqual({ text: "xx", stopped: false });
  expect(matcher.push("ab")).toEqual({ text: "", stopped: false });
  expect(matcher.push("a")).toEqual({ text: "ab", stopped: false });
  expect(matcher.push("z")).toEqual({ text: "abaz", stopped: false });
  expect(matcher.push("aba")).toEqual({ text: "", stopped: false });
  expect(matcher.flush()).toBe("aba");
});

test("nothing is released after a stop", () => {
  const matcher = createStopMatcher(["."]);
  expect(matcher.push("a.b")).toEqual({ text: "a", stopped: true });
  expect(matcher.push("c")).toEqual({ text: "", stopped: true });
  expect(matcher.flush()).toBe("");
});

test("cost is linear where the text keeps failing late in a long stop", () => {
  const stop = `${"a".repeat(5000)}b`;
  const milliseconds = (length: number): number => {
    const matcher = createStopMatcher([stop]);
    const start = performance.now();
    for (let i = 0; i < length; i++) matcher.push("a");
    return performance.now() - start;
  };
  milliseconds(100_000);
  const short = Math.max(milliseconds(100_000), milliseconds(100_000));
  expect(milliseconds(1_000_000)).toBeLessThanOrEqual(15 * short);
});
