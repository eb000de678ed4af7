// The cost of encoding grows with the length of the text and not faster, whatever the text: 1 MB against 100 KB.
import { beforeAll, describe, expect, test } from "vitest";
import type { Tokenizer } from "../../src/tokenizer/tokenizer.ts";
import { hasVocabulary, loadTokenizer } from "./vocabularies.ts";

const SMALL = 100_000; // UTF-8 bytes
const LARGE = 1_000_000;
const ALLOWED = 15; // 10 is linear; caches and the clock add some noise
const RUNS = 3; // the best of

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

/** Least processor time, in ms, that encoding each text took: other processes on the machine do not count. */
function leastTimes(tokenizer: Tokenizer, texts: readonly string[]): number[] {
  const times = texts.map(() => Number.POSITIVE_INFINITY);
  for (let run = 0; run < RUNS; run++) {
    texts.forEach((text, i) => {
      const start = process.cpuUsage();
      tokenizer.encode(text, { addBos: false });
      const { user, system } = process.cpuUsage(start);
      times[i] = Math.min(times[i]!, (user + system) / 1000);
    });
  }
  return times;
}

for (const vocabulary of ["gpt-2", "qwen3", "own-spm"]) {
  describe(vocabulary, () => {
    let tokenizer: Tokenizer;
    beforeAll(async () => {
      tokenizer = await loadTokenizer(vocabulary);
    });
    test.each(Object.keys(HOSTILE))("is linear on %s", (kind) => {
      const [small, large] = leastTimes(tokenizer, [HOSTILE[kind]!(SMALL), HOSTILE[kind]!(LARGE)]);
      expect(large! / Math.max(small!, 1)).toBeLessThanOrEqual(ALLOWED); // under 1 ms the clock decides
    });
  });
}

test.skipIf(!hasVocabulary("deepseek-llm"))("deepseek-llm's rule for trailing spaces is linear", async () => {
  const [small, large] = leastTimes(
    await loadTokenizer("deepseek-llm"),
    [" ".repeat(SMALL), " ".repeat(LARGE)].map((spaces) => `${spaces}1`),
  );
  expect(large! / Math.max(small!, 1)).toBeLessThanOrEqual(ALLOWED);
});
