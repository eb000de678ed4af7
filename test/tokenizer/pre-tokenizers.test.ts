// The split rules: against the tokenizers library (data/make-split-goldens.py), and what each must do with any text.
import { describe, expect, test } from "vitest";
import { findPreTokenizer, PRE_TOKENIZER_NAMES, splitWords } from "../../src/tokenizer/pre-tokenizers.ts";
import { hashIds, randomString } from "./random-strings.ts";
import { readData } from "./vocabularies.ts";

const goldens = JSON.parse(readData("splits.json.gz").toString("utf8")) as Record<string, number[]>;
/** Without U+017F: the library's (?i:'s) matches it, llama.cpp and @huggingface/tokenizers do not, and neither do we. */
const goldenText = (index: number): string => randomString(index).replaceAll("\u017f", "");
const split = (name: string, text: string): string[] => {
  let from = 0;
  return splitWords(text, findPreTokenizer(name)!).map((end) => {
    const word = text.slice(from, end);
    from = end;
    return word;
  });
};

test.each(Object.keys(goldens))("%s splits random strings as the library does", (name) => {
  const rule = findPreTokenizer(name)!;
  const different = goldens[name]!.map((hash, i) => ({ hash, text: goldenText(i) })).filter(
    ({ hash, text }) => hashIds(splitWords(text, rule)) !== hash,
  );
  expect(different.map(({ text }) => ({ text, found: split(name, text) }))).toEqual([]);
});

describe.each([...new Set(PRE_TOKENIZER_NAMES.map((name) => findPreTokenizer(name)!.name))])("%s", (name) => {
  test("the words are the text, and none is empty", () => {
    for (let i = 0; i < 300; i++) {
      const words = split(name, randomString(i));
      expect(words.join("")).toBe(randomString(i));
      expect(words).not.toContain("");
    }
    expect(split(name, "")).toEqual([]);
  });
});

test("each name has one rule", () => {
  expect(new Set(PRE_TOKENIZER_NAMES).size).toBe(PRE_TOKENIZER_NAMES.length);
  expect(findPreTokenizer("no-such-rule")).toBeUndefined();
});

test.each([
  ["gpt-2", "It's IT'S  12345 a!?", ["It", "'s", " IT", "'", "S", " ", " 12345", " a", "!?"]],
  ["smollm", "a  12 b", ["a", "  ", "1", "2", " b"]],
  ["falcon", "a 12345 (b)", ["a", " ", "123", "45", " ", "(", "b", ")"]],
  ["default", "a 12345 (b)", ["a", " ", "123", "45", " ", "(", "b", ")"]],
  ["llama-bpe", "It'S 12345\n\n  a", ["It", "'S", " ", "123", "45", "\n\n", " ", " a"]],
  ["qwen2", "a 123", ["a", " ", "1", "2", "3"]],
  ["gpt-4o", "HelloWorld ABCdef it's", ["Hello", "World", " ABCdef", " it's"]],
  ["tekken", "it's 12", ["it", "'s", " ", "1", "2"]],
  ["deepseek-v3", "a\u4f60\u597d1234.x", ["a", "\u4f60\u597d", "123", "4", ".x"]],
  ["deepseek-llm", "ab  \u6f22 12\nc  ", ["ab", "  ", "\u6f22", " ", "12", "\n", "c", "  "]],
  ["deepseek-coder", "f(x) = 42;", ["f", "(", "x", ")", " = ", "4", "2", ";"]],
  ["bloom", "a b, c (d)", ["a", " b", ",", " c", " (", "d", ")"]],
] as const)("%s splits %j", (name, text, words) => {
  expect(split(name, text)).toEqual(words);
});
