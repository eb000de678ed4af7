// The tiny models that every runtime is judged on, and the one token sequence that they are fed. goldens.py makes
// data/goldens.json.gz from them.
import type { TinyModelOptions } from "../fixtures/tiny-models.ts";

const llamaLike: TinyModelOptions = { hiddenSize: 96, headCount: 3, kvHeadCount: 1, intermediateSize: 160 };
/** K formats need rows of whole 256-blocks; the feed-forward's 512 makes two of them. */
const kLike: TinyModelOptions = { hiddenSize: 256, headCount: 4, kvHeadCount: 2, headDim: 64, intermediateSize: 512 };

export const VOCAB_SIZE = 99; // odd, so that no kernel gets away with whole vectors

const named: Readonly<Record<string, TinyModelOptions>> = {
  "head size 32, no grouping, F32": { hiddenSize: 64, headCount: 2, kvHeadCount: 2, format: "F32" },
  "head size 64, groups of 3, Q4_1 over a Q8_0 embedding": {
    hiddenSize: 192,
    headCount: 3,
    kvHeadCount: 1,
    intermediateSize: 320,
    format: "Q4_1",
    embeddingFormat: "Q8_0",
  },
  "head size 80, no grouping, Q8_0": { hiddenSize: 160, headCount: 2, headDim: 80, format: "Q8_0" },
  "head size 128, groups of 8, Q5_0": {
    hiddenSize: 288,
    headCount: 8,
    kvHeadCount: 1,
    headDim: 128,
    intermediateSize: 352,
    format: "Q5_0",
  },
  "Q4_0 with an untied F16 head": { ...llamaLike, format: "Q4_0", tiedHead: false, headFormat: "F16" },
  Q5_1: { ...llamaLike, format: "Q5_1" },
  F16: { ...llamaLike, format: "F16" },
  BF16: { ...llamaLike, format: "BF16" },
  "Q4_K over a Q6_K embedding": { ...kLike, format: "Q4_K", embeddingFormat: "Q6_K" },
  Q5_K: { ...kLike, format: "Q5_K" },
  "Q6_K with an untied head": { ...kLike, format: "Q6_K", tiedHead: false },
  "rope factors": { ...llamaLike, ropeFactors: true, ropeBase: 500_000 },
  "rope stretched linearly": { ...llamaLike, ropeScaling: { type: "linear", factor: 4 } },
  "rope stretched by YaRN": {
    ...llamaLike,
    ropeScaling: { type: "yarn", factor: 4, originalContextLength: 64 },
  },
  "qwen2: biases and rope over halves": { ...llamaLike, ropeLayout: "halves", biases: true, format: "Q8_0" },
  "qwen3: query and key norms, heads wider than hiddenSize / headCount": {
    ...llamaLike,
    headDim: 64,
    qkNorm: true,
    format: "Q8_0",
  },
};

export const MODELS: readonly { readonly name: string; readonly options: TinyModelOptions }[] = Object.entries(
  named,
).map(([name, options], index) => ({ name, options: { vocabSize: VOCAB_SIZE, seed: 100 + index, ...options } }));

/** The model for questions that are not about formats. */
export const PLAIN_MODEL = MODELS[1]!.options;

/** 200 tokens: three borders of KV pages are crossed. */
export const TOKENS: readonly number[] = Array.from({ length: 200 }, (_, i) => (i * i * 31 + i * 17 + 5) % VOCAB_SIZE);

/** Where goldens are kept: first tokens, both sides of page borders, and the end. */
export const GOLDEN_POSITIONS: readonly number[] = [0, 1, 2, 31, 62, 63, 64, 65, 127, 128, 160, 199];
