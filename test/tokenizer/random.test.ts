// 20,000 random strings against @huggingface/tokenizers (data/make-random-goldens.mjs), and back again.
import { describe, expect, test } from "vitest";
import { FULL_IDS, hashIds, RANDOM_STRINGS, randomString } from "./random-strings.ts";
import { loadTokenizer, readData } from "./vocabularies.ts";

describe.each(["qwen3", "gpt-2"])("%s", async (name) => {
  const tokenizer = await loadTokenizer(name);

  test("the first strings give the oracle's ids", () => {
    const golden = JSON.parse(readData(`random-${name}.json.gz`).toString("utf8")) as number[][];
    const found = golden.map((_, i) => [...tokenizer.encode(randomString(i))]);
    expect(golden).toHaveLength(FULL_IDS);
    expect(found).toEqual(golden);
  });

  test("every string gives ids with the oracle's hash", () => {
    const bytes = new Uint8Array(readData(`random-${name}.bin.gz`));
    const hashes = new Uint32Array(bytes.buffer);
    expect(hashes).toHaveLength(RANDOM_STRINGS);
    const different: { index: number; text: string }[] = [];
    hashes.forEach((hash, index) => {
      const text = randomString(index);
      if (hashIds(tokenizer.encode(text)) !== hash) different.push({ index, text });
    });
    expect(different).toEqual([]);
  });

  test("every string comes back", () => {
    for (let i = 0; i < RANDOM_STRINGS; i++) {
      const text = randomString(i);
      expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
    }
  });
});
