// What the oracle of make-random-goldens.mjs is fed: the random strings, and a vocabulary in the form of tokenizer.json.
import { createTokenizer } from "../../src/tokenizer/tokenizer.ts";
import { loadMetadata } from "./vocabularies.ts";

export { FULL_IDS, hashIds, RANDOM_STRINGS, randomString } from "./random-strings.ts";

/** The split patterns as the publishers' own tokenizer.json files have them. */
const PATTERNS: Readonly<Record<string, string>> = {
  "gpt-2": String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`,
  qwen3: String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
};

/** Control tokens are left out, for the oracle would find them in any text; user-defined ones are added tokens. */
export async function tokenizerJson(name: string): Promise<object> {
  const metadata = await loadMetadata(name);
  const tokenizer = createTokenizer(metadata);
  const tokens = [...metadata.requireStrings("tokenizer.ggml.tokens")];
  const pattern = { type: "Split", pattern: { Regex: PATTERNS[name] }, behavior: "Isolated", invert: false };
  return {
    version: "1.0",
    added_tokens: tokens
      .map((content, id) => ({ id, content, special: false, single_word: false, lstrip: false, rstrip: false }))
      .filter(({ id }) => tokenizer.kind(id) === "userDefined")
      .map((token) => ({ ...token, normalized: false })),
    normalizer: null,
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [pattern, { type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: false }],
    },
    post_processor: null,
    decoder: { type: "ByteLevel" },
    model: {
      type: "BPE",
      vocab: Object.fromEntries(
        tokens.map((text, id) => [text, id]).filter(([, id]) => tokenizer.kind(id as number) === "normal"),
      ),
      merges: [...metadata.requireStrings("tokenizer.ggml.merges")].map((merge) => {
        const space = merge.indexOf(" ", 1);
        return [merge.slice(0, space), merge.slice(space + 1)];
      }),
    },
  };
}
