// Header -> ModelSpec: what is read, and what is refused by name before a weight is fetched.
import { describe, expect, test } from "vitest";
import { EngineError } from "../../src/base/errors.ts";
import { readGguf } from "../../src/gguf/gguf.ts";
import { specOf } from "../../src/model/architectures/index.ts";
import type { ModelSpec } from "../../src/model/spec.ts";
import { memorySource } from "../../src/storage/byte-source.ts";
import { type WriterModel, type WriterTensor, type WriterValue, writeGguf } from "../fixtures/gguf-writer.ts";
import { type TinyModelOptions, tinyModelParts } from "../fixtures/tiny-models.ts";

const OPTIONS: TinyModelOptions = {
  hiddenSize: 96,
  headCount: 3,
  kvHeadCount: 1,
  intermediateSize: 160,
  vocabSize: 99,
};

/** Changes to a well-formed model: keys to set or (undefined) to remove, and a new list of tensors. */
interface Change {
  readonly metadata?: Readonly<Record<string, WriterValue | undefined>>;
  readonly tensors?: (tensors: readonly WriterTensor[]) => readonly WriterTensor[];
}

async function specWith({ metadata = {}, tensors = (list) => list }: Change, options = OPTIONS): Promise<ModelSpec> {
  const parts: WriterModel = tinyModelParts(options);
  const values = Object.entries({ ...parts.metadata, ...metadata }).filter(([, value]) => value !== undefined);
  const bytes = writeGguf({
    metadata: Object.fromEntries(values) as Record<string, WriterValue>,
    tensors: tensors(parts.tensors!),
  });
  return specOf(await readGguf(memorySource(bytes)));
}

async function refusal(change: Change, options?: TinyModelOptions): Promise<EngineError> {
  const error = await specWith(change, options).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof EngineError)) throw new Error(`not refused, but ${error}`);
  return error;
}

const without = (name: string) => (list: readonly WriterTensor[]) => list.filter((tensor) => tensor.name !== name);
const replaced = (name: string, part: Partial<WriterTensor>) => (list: readonly WriterTensor[]) =>
  list.map((tensor) => {
    if (tensor.name !== name) return tensor;
    const { data: _, ...rest } = tensor;
    return { ...rest, ...part };
  });
const float = (value: number): WriterValue => ({ type: "float32", value });

describe("a spec", () => {
  test("has the sizes, tensors and defaults of a llama file", async () => {
    const spec = await specWith({});
    expect(spec).toMatchObject({
      architecture: "llama",
      hiddenSize: 96,
      intermediateSize: 160,
      layerCount: 2,
      headCount: 3,
      kvHeadCount: 1,
      headDim: 32,
      vocabSize: 99,
      contextLength: 256,
      rope: { layout: "interleaved", base: 10_000, dimension: 32, scaling: { kind: "none" } },
    });
    expect(spec.normEpsilon).toBeCloseTo(1e-5, 12);
    expect(spec.attentionScale).toBe(1 / Math.sqrt(32));
    expect(spec.head).toBe(spec.embedding);
    expect(spec.layers[1]!.attention).toMatchObject({
      window: "full",
      key: { weight: { tensor: "blk.1.attn_k.weight", rows: 32, columns: 96, format: "F32" } },
    });
    expect(spec.layers[1]!.feedForward).toMatchObject({
      kind: "dense",
      activation: "silu",
      down: { weight: { tensor: "blk.1.ffn_down.weight", rows: 96, columns: 160 } },
    });
  });

  test("takes the head size from the hidden size and as many KV heads as heads, where the file does not say", async () => {
    const silent = {
      "llama.attention.key_length": undefined,
      "llama.attention.value_length": undefined,
      "llama.attention.head_count_kv": undefined,
      "llama.rope.dimension_count": undefined,
      "llama.rope.freq_base": undefined,
    };
    const spec = await specWith({ metadata: silent }, { ...OPTIONS, kvHeadCount: 3 });
    expect(spec).toMatchObject({ headDim: 32, kvHeadCount: 3, rope: { base: 10_000, dimension: 32 } });
  });

  test.each([
    [{ "llama.rope.scaling.factor": float(8) }, { kind: "linear", factor: 8 }],
    [{ "llama.rope.scaling.type": "none", "llama.rope.scaling.factor": float(8) }, { kind: "none" }],
    [{ "llama.rope.scaling.type": "linear", "llama.rope.scaling.factor": float(1) }, { kind: "none" }],
    [
      { "llama.rope.scaling.type": "yarn", "llama.rope.scaling.factor": float(4) },
      {
        kind: "yarn",
        factor: 4,
        originalContextLength: 256,
        betaFast: 32,
        betaSlow: 1,
        attentionFactor: 0.1 * Math.log(4) + 1,
      },
    ],
  ])("reads the rope scaling %o", async (metadata, scaling) => {
    expect((await specWith({ metadata })).rope.scaling).toEqual(scaling);
  });

  test("reads rope factors, a sliding window and an attention scale", async () => {
    const metadata = { "llama.attention.sliding_window": 24, "llama.attention.scale": float(0.25) };
    const spec = await specWith({ metadata }, { ...OPTIONS, ropeFactors: true });
    expect(spec.rope.factors).toEqual({ tensor: "rope_freqs.weight", length: 16, format: "F32" });
    expect(spec.layers[0]!.attention.window).toEqual({ sliding: 24 });
    expect(spec.attentionScale).toBe(0.25);
  });

  test.each(["qwen2", "qwen3"] as const)("of %s turns the halves of a head", async (architecture) => {
    const spec = await specWith({}, { ...OPTIONS, architecture, qkNorm: architecture === "qwen3" });
    expect(spec).toMatchObject({ architecture, rope: { layout: "halves" } });
  });
});

describe("a refusal", () => {
  const big = { ...OPTIONS, hiddenSize: 128, headCount: 4, kvHeadCount: 2 };
  const cases: [what: string, change: Change, code: string, says: RegExp][] = [
    [
      "of an unknown architecture names it and lists the known",
      { metadata: { "general.architecture": "mamba" } },
      "unsupported_architecture",
      /"mamba".*supported: llama, qwen2, qwen3/,
    ],
    [
      "of a file without an architecture",
      { metadata: { "general.architecture": undefined } },
      "model_malformed",
      /general\.architecture/,
    ],
    [
      "of a mixture of experts",
      { metadata: { "llama.expert_count": 8 } },
      "unsupported_architecture",
      /expert_count to 8/,
    ],
    [
      "of an unknown rope scaling",
      { metadata: { "llama.rope.scaling.type": "longrope" } },
      "unsupported_architecture",
      /"longrope"/,
    ],
    [
      "of tensors that nobody would read",
      { tensors: (list) => [...list, { name: "blk.0.attn_sinks.weight", shape: [3], format: "F32" }] },
      "unsupported_architecture",
      /1 tensors.*"blk\.0\.attn_sinks\.weight"/,
    ],
    [
      "of a missing tensor",
      { tensors: without("blk.1.ffn_up.weight") },
      "model_malformed",
      /no tensor "blk\.1\.ffn_up\.weight"/,
    ],
    [
      "of another shape, with both",
      { tensors: replaced("blk.0.attn_k.weight", { shape: [128, 96] }) },
      "model_malformed",
      /"blk\.0\.attn_k\.weight" has the shape \[128, 96\].*\[128, 64\]/,
    ],
    [
      "of a norm of another length",
      { tensors: replaced("output_norm.weight", { shape: [64] }) },
      "model_malformed",
      /"output_norm\.weight" has the shape \[64\].*\[128\]/,
    ],
    [
      "of a head for another vocabulary",
      { tensors: (list) => [...list, { name: "output.weight", shape: [128, 98], format: "F32" }] },
      "model_malformed",
      /"output\.weight" has the shape \[128, 98\].*\[128, 99\]/,
    ],
    [
      "of a format without kernels",
      { tensors: replaced("blk.0.ffn_gate.weight", { format: "IQ4_NL" }) },
      "unsupported_format",
      /"blk\.0\.ffn_gate\.weight" is stored as IQ4_NL; supported here: F32, .*Q6_K/,
    ],
    [
      "of a quantized norm",
      { tensors: replaced("blk.0.attn_norm.weight", { format: "Q8_0" }) },
      "unsupported_format",
      /"blk\.0\.attn_norm\.weight" is stored as Q8_0; supported here: F32, F16, BF16/,
    ],
    [
      "of layers that are not there, however many are announced",
      { metadata: { "llama.block_count": 0xffff_ffff } },
      "model_malformed",
      /no tensor "blk\.2\./,
    ],
    [
      "of a missing size",
      { metadata: { "llama.embedding_length": undefined } },
      "model_malformed",
      /llama\.embedding_length/,
    ],
    ["of a size of nothing", { metadata: { "llama.block_count": 0 } }, "model_malformed", /block_count is 0/],
    [
      "of heads that cannot be shared",
      { metadata: { "llama.attention.head_count_kv": 3 } },
      "model_malformed",
      /4 heads cannot share 3/,
    ],
    [
      "of keys and values of two sizes",
      { metadata: { "llama.attention.value_length": 16 } },
      "model_malformed",
      /different head sizes/,
    ],
    [
      "of rope over more than a head",
      { metadata: { "llama.rope.dimension_count": 34 } },
      "model_malformed",
      /34 of 32 dimensions/,
    ],
    [
      "of an epsilon that is not a number",
      { metadata: { "llama.attention.layer_norm_rms_epsilon": float(Number.NaN) } },
      "model_malformed",
      /layer_norm_rms_epsilon is NaN/,
    ],
    [
      "of a size by layer, which this builder does not have",
      { metadata: { "llama.feed_forward_length": { array: "uint32", items: [160, 160] } } },
      "model_malformed",
      /llama\.feed_forward_length/,
    ],
  ];
  test.each(cases)("%s", async (_, change, code, says) => {
    const error = await refusal(change, big);
    expect(error.code).toBe(code);
    expect(error.message).toMatch(says);
  });

  test("of rows that kernels cannot cut into groups of 32 names tensor and length", async () => {
    const error = await refusal({}, { ...OPTIONS, hiddenSize: 72, headDim: 32 });
    expect(error.code).toBe("unsupported_format");
    expect(error.message).toMatch(/"token_embd\.weight" has rows of 72 weights/);
    expect(error.details).toEqual({ tensor: "token_embd.weight", format: "F32" });
  });
});
