// llama.cpp's published vectors, 46 strings for each vocabulary: every id must agree.
import { describe, expect, test } from "vitest";
import { hasVocabulary, loadTokenizer, readVectors } from "./vocabularies.ts";

/** Vocabulary file -> names of the vectors that it must give. */
const COMMITTED = { "gpt-2": ["gpt-2"], falcon: ["falcon"], mpt: ["mpt"], qwen3: ["qwen2", "deepseek-r1-qwen"] };
const SHARED = { "deepseek-llm": ["deepseek-llm"], "llama-spm": ["llama-spm"], starcoder: ["starcoder"] };

for (const [vocabulary, names] of Object.entries({ ...COMMITTED, ...SHARED })) {
  describe.skipIf(!hasVocabulary(vocabulary))(vocabulary, () => {
    test.each(names)("gives the ids of llama.cpp's vectors for %s", async (name) => {
      const tokenizer = await loadTokenizer(vocabulary);
      const vectors = readVectors(name);
      expect(vectors).toHaveLength(46);
      const found = vectors.map(({ text }) => ({ text, ids: [...tokenizer.encode(text, { addBos: false })] }));
      expect(found).toEqual(vectors);
    });
  });
}
