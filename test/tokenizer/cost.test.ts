// The cost of encoding grows with the length of the text and not faster, whatever the text: 1 MB against 100 KB.
import { beforeAll, describe, expect, test } from "vitest";
import type { Tokenizer } from "../../src/tokenizer/tokenizer.ts";
import { hasVocabulary, loadTokenizer } from "./vocabularies.ts";

const SMALL = 100_000; // UTF-8 bytes
const LARGE = 1_000_000;
const ALLOWED = 15; // 10 is linear; caches and the clock add some noise
const RUNS = 8; // at most: the best of so many, and no more once they show that the cost is linear

const encoder = new TextEncoder();
/** A text of about this many bytes made of one unit repeated. */
const repeat = (unit: string) => (bytes: number) => unit.repeat(Math.ceil(bytes / encoder.encode(unit).length));
const pseudoRandom = (alphabet: string) => (bytes: number) => {
  let state = 1;
  let text = "";
  for (let i = 0; i < bytes; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    text += alphabet[(state >>> 8) % alphabet.length];
  }
  return text;
};

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const HOSTILE: Readonly<Record<string, (bytes: number) => string>> = {
  "one letter": repeat("a"),
  "upper-case letters": repeat("A"),
  "one long word": pseudoRandom(LETTERS.slice(26)),
  spaces: repeat(" "),
  "spaces before digits": (bytes) => repeat(`${" ".repeat(999)}1`)(bytes),
  "line ends": repeat("\n"),
  "spaces and line ends": repeat(" \n"),
  digits: pseudoRandom("0123456789"),
  punctuation: pseudoRandom("!?.,;:-_()[]{}"),
  apostrophes: repeat("'"),
  CJK: repeat("\u6f22\u5b57"),
  emoji: repeat("\u{1f600}"),
  "combining marks": repeat("\u0301"),
  base64: pseudoRandom(`${LETTERS}0123456789+/`),
  mixed: repeat("Hello, world! 123 \u4f60\u597d \u{1f600}\n\tit's e\u0301t\u00e9; "),
  "word marks": repeat("\u2581"),
};

/** How many times longer the large text takes, by the least processor time of each: other processes do not count. */
function ratioOf(tokenizer: Tokenizer, small: string, large: string): number {
  let [smallTime, largeTime] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  let ratio = Number.POSITIVE_INFINITY;
  for (let run = 0; run < RUNS && ratio > ALLOWED; run++) {
    smallTime = Math.min(smallTime, timeOf(tokenizer, small));
    largeTime = Math.min(largeTime, timeOf(tokenizer, large));
    ratio = largeTime / Math.max(smallTime, 1); // under 1 ms the clock decides
  }
  return ratio;
}

/** In ms. */
function timeOf(tokenizer: Tokenizer, text: string): number {
  const start = process.cpuUsage();
  tokenizer.encode(text, { addBos: false });
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}

for (const vocabulary of ["gpt-2", "qwen3", "own-spm"]) {
  describe(vocabulary, () => {
    let tokenizer: Tokenizer;
    beforeAll(async () => {
      tokenizer = await loadTokenizer(vocabulary);
    });
    test.each(Object.keys(HOSTILE))("is linear on %s", (kind) => {
      const text = HOSTILE[kind]!;
      expect(ratioOf(tokenizer, text(SMALL), text(LARGE))).toBeLessThanOrEqual(ALLOWED);
    });
  });
}

test.skipIf(!hasVocabulary("deepseek-llm"))("deepseek-llm's rule for trailing spaces is linear", async () => {
  const text = (bytes: number) => `${" ".repeat(bytes)}1`;
  const tokenizer = await loadTokenizer("deepseek-llm");
  expect(ratioOf(tokenizer, text(SMALL), text(LARGE))).toBeLessThanOrEqual(ALLOWED);
});
