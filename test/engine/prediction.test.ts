// Where an answer has come back to its prediction, in letters for tokens.
import { expect, test } from "vitest";
import { followPrediction } from "../../src/engine/prediction.ts";

const ids = (text: string) => [...text].map((letter) => letter.charCodeAt(0));
const text = (tokens: readonly number[]) => String.fromCharCode(...tokens);
const ALPHABET = "abcdefghijklmnopqrstuvwxyz";
const FILLER = "0123456789".repeat(8);

/** What is guessed after each letter of the answer, as far as `room`. */
function guesses(prediction: string, answer: string, room = 3): string[] {
  const follower = followPrediction(ids(prediction));
  return [...answer].map((_, place) => text(follower.guess(ids(answer.slice(0, place + 1)), room)));
}

const FOLLOWED: [string, string, string, string[]][] = [
  ["as it is, to its end", "abcde", "abcde", ["bcd", "cde", "de", "e", ""]],
  ["nothing where they differ", "abcde", "abx", ["bcd", "cde", ""]],
  ["on after one token replaced", "abcdefg", "abxde", ["bcd", "cde", "", "efg", "fg"]],
  ["on after three replaced by three", "abcdefghij", "abxyzfg", ["bcd", "cde", "", "", "", "ghi", "hij"]],
  ["on after two tokens, where as many were not put in", "abcdefg", "abxyzcde", ["bcd", "cde", "", "", "", "", "efg", "fg"]],
  ["on after two tokens, where some were left out", "abcdefghij", "abghi", ["bcd", "cde", "", "ij", "j"]],
  ["from its beginning after other words", "abcdef", "xyabc", ["", "", "", "cde", "def"]],
  ["the nearest of several copies ahead", "abc1abc2abc3", "abc1xbcz", ["bc1", "c1a", "1ab", "abc", "", "c2a", "2ab", ""]],
  ["the copy where more is alike", "xab1yab2", "yab", ["", "b2", "2"]],
  ["a part that was moved, after four tokens", `wxyzuv${FILLER}abc`, `${FILLER.slice(0, 4)}wxyzuv`, ["", "234", "345", "456", "", "", "", "uv0", "v01", "012"]],
]; // biome-ignore format: a table
test.each(FOLLOWED)("it guesses %s", (_, prediction, answer, expected) => {
  expect(guesses(prediction, answer)).toEqual(expected);
});

test("a single token alike far ahead is taken for chance", () => {
  expect(guesses(`ab${ALPHABET.slice(2)}`, "abzq")).toEqual(["bcd", "cde", "", ""]);
});

test("it reads an answer that grows by several tokens as it reads one by one", () => {
  const answer = "abxdefyzhijklab";
  const follower = followPrediction(ids(ALPHABET));
  for (const length of [1, 5, 6, 12, 15])
    expect(text(follower.guess(ids(answer.slice(0, length)), 4))).toBe(
      guesses(ALPHABET, answer.slice(0, length), 4).at(-1),
    );
});

const COUNTED: [string, string, number, number[]][] = [
  ["abcdef", "abcdef", 0, [6, 0]],
  ["abcdef", "abc", 1, [3, 0]],
  ["abcdef", "abc", 3, [3, 2]],
  ["abcdef", "abxdef", 4, [5, 1]],
  ["abcdef", "abcdefabcdef", 2, [6, 0]],
  ["abcabc", "abcx", 5, [3, 3]],
]; // biome-ignore format: a table
test.each(COUNTED)("of %s in %s, with guesses of %i computed, accepted and rejected are %j", (...row) => {
  const [prediction, answer, room, expected] = row;
  const follower = followPrediction(ids(prediction));
  for (let length = 0; length < answer.length; length++) {
    follower.computed(follower.guess(ids(answer.slice(0, length)), room).length);
  }
  const { accepted, rejected } = follower.counts(ids(answer));
  expect([accepted, rejected]).toEqual(expected);
});
