// What followed the last tokens before, in letters for tokens.
import { expect, test } from "vitest";
import { createLookup } from "../../src/engine/lookup.ts";
import { createRandom } from "../fixtures/random.ts";

const ids = (text: string) => [...text].map((letter) => letter.charCodeAt(0));
const text = (tokens: readonly number[]) => String.fromCharCode(...tokens);

test.each([
  ["what followed in the prompt", "the sea is", "the", 5, " sea "],
  ["what followed in the answer", "x", "wave and wave", 6, " and w"],
  ["what followed across the two", "one two", " three two", 4, " thr"],
  ["nothing after tokens that are new", "the sea", "abc", 5, ""],
  ["nothing after two tokens alike", "xab1", "yab", 5, ""],
  ["what followed the longer of two matches", "red abcX blue abcY", "d abc", 1, "X"],
  ["what followed the later of two alike", "abcX abcY", "-abc", 1, "Y"],
  ["a repetition beyond what is there", "", "abcdabcd", 10, "abcdabcdab"],
  ["no more than there is room for", "the sea is", "the", 0, ""],
  ["nothing of nothing", "", "", 5, ""],
])("it guesses %s", (_, prompt, answer, room, expected) => {
  expect(text(createLookup(ids(prompt)).guess(ids(answer), room))).toBe(expected);
});

test("an answer that grows by random pieces is looked up as one that comes whole", () => {
  const { below } = createRandom(3);
  const prompt = Array.from({ length: 300 }, () => below(4));
  const answer = Array.from({ length: 600 }, () => below(4));
  const grown = createLookup(prompt);
  for (let length = 0; length <= answer.length; length += 1 + below(5)) {
    const part = answer.slice(0, length);
    const guess = grown.guess(part, 8);
    expect(guess).toEqual(createLookup(prompt).guess(part, 8));
    // It stands somewhere after the same three tokens.
    const all = [...prompt, ...part];
    const wanted = [...all.slice(-3), ...guess].join();
    if (guess.length > 0) expect(`,${[...all, ...guess].join()},`).toContain(`,${wanted},`);
  }
});
