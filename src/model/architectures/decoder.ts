// What the llama-like families share: sizes from metadata, parts from the tensors that are present.
import { EngineError } from "../../base/errors.ts";
import type { Metadata } from "../../gguf/metadata.ts";
import type { RopeScaling } from "../../kernels/rope-table.ts";
import type { AttentionWindow, LayerSpec, ModelSpec, RopeSpec } from "../spec.ts";
import type { TensorRefs } from "../tensor-refs.ts";

/** One family: header -> spec. */
export type Adapter = (metadata: Metadata, tensors: TensorRefs, architecture: string) => ModelSpec;

/** Keys that change the graph in ways the builder does not have, with the value that asks for nothing. */
const MUST_BE_NEUTRAL: readonly (readonly [key: string, neutral: number | boolean])[] = [
  ["expert_count", 0],
  ["attention.causal", true],
  ["attention.clamp_kqv", 0],
  ["attention.max_alibi_bias", 0],
  ["use_parallel_residual", false],
  ["attn_logit_softcapping", 0],
  ["final_logit_softcapping", 0],
  ["logit_scale", 1],
  ["embedding_scale", 1],
  ["residual_scale", 1],
];

/** Biases, q/k norms, rope factors and an untied head are taken when their tensors are there. */
export function decoderSpec(
  metadata: Metadata,
  tensors: TensorRefs,
  architecture: string,
  { ropeLayout }: { ropeLayout: RopeSpec["layout"] },
): ModelSpec {
  refuseUnbuilt(metadata, architecture);
  const size = (key: string, fallback?: number) => positiveInteger(metadata, `${architecture}.${key}`, fallback);
  const hiddenSize = size("embedding_length");
  const intermediateSize = size("feed_forward_length");
  const layerCount = size("block_count");
  const headCount = size("attention.head_count");
  const kvHeadCount = size("attention.head_count_kv", headCount);
  const headDim = size("attention.key_length", hiddenSize / headCount);
  expect(headCount % kvHeadCount === 0, `${headCount} heads cannot share ${kvHeadCount} KV heads evenly`);
  expect(size("attention.value_length", headDim) === headDim, "keys and values have different head sizes");

  const vocabSize = tensors.rowsOf("token_embd.weight");
  const embedding = tensors.matrix("token_embd.weight", vocabSize, hiddenSize);
  const window = slidingWindow(metadata, architecture);
  const layers: LayerSpec[] = [];
  // A loop, not an allocation: a false layer count ends at the first tensor that is missing.
  for (let index = 0; index < layerCount; index++) {
    const layer = `blk.${index}`;
    const queryNorm = tensors.optionalVector(`${layer}.attn_q_norm.weight`, headDim);
    const keyNorm = tensors.optionalVector(`${layer}.attn_k_norm.weight`, headDim);
    layers.push({
      attention: {
        norm: tensors.vector(`${layer}.attn_norm.weight`, hiddenSize),
        query: tensors.linear(`${layer}.attn_q`, headCount * headDim, hiddenSize),
        key: tensors.linear(`${layer}.attn_k`, kvHeadCount * headDim, hiddenSize),
        value: tensors.linear(`${layer}.attn_v`, kvHeadCount * headDim, hiddenSize),
        ...(queryNorm && { queryNorm }),
        ...(keyNorm && { keyNorm }),
        window,
        output: tensors.linear(`${layer}.attn_output`, hiddenSize, headCount * headDim),
      },
      feedForward: {
        kind: "dense",
        norm: tensors.vector(`${layer}.ffn_norm.weight`, hiddenSize),
        activation: "silu",
        gate: tensors.linear(`${layer}.ffn_gate`, intermediateSize, hiddenSize),
        up: tensors.linear(`${layer}.ffn_up`, intermediateSize, hiddenSize),
        down: tensors.linear(`${layer}.ffn_down`, hiddenSize, intermediateSize),
      },
    });
  }
  return {
    architecture,
    hiddenSize,
    intermediateSize,
    layerCount,
    headCount,
    kvHeadCount,
    headDim,
    vocabSize,
    contextLength: size("context_length"),
    normEpsilon: positive(metadata, `${architecture}.attention.layer_norm_rms_epsilon`),
    attentionScale: positive(metadata, `${architecture}.attention.scale`, 1 / Math.sqrt(headDim)),
    rope: ropeSpec(metadata, tensors, architecture, headDim, ropeLayout),
    embedding,
    layers,
    outputNorm: tensors.vector("output_norm.weight", hiddenSize),
    head: tensors.has("output.weight") ? tensors.matrix("output.weight", vocabSize, hiddenSize) : embedding,
  };
}

function ropeSpec(
  metadata: Metadata,
  tensors: TensorRefs,
  architecture: string,
  headDim: number,
  layout: RopeSpec["layout"],
): RopeSpec {
  const dimension = positiveInteger(metadata, `${architecture}.rope.dimension_count`, headDim);
  expect(dimension % 2 === 0 && dimension <= headDim, `rope over ${dimension} of ${headDim} dimensions is impossible`);
  const factors = tensors.optionalVector("rope_freqs.weight", dimension / 2);
  return {
    layout,
    base: positive(metadata, `${architecture}.rope.freq_base`, 10_000),
    dimension,
    scaling: ropeScaling(metadata, architecture),
    ...(factors && { factors }),
  };
}

/** As llama.cpp reads the keys: no type but a factor means linear. */
function ropeScaling(metadata: Metadata, architecture: string): RopeScaling {
  const key = (name: string) => `${architecture}.rope.${name}`;
  const type = metadata.string(key("scaling.type")) ?? "linear";
  switch (type) {
    case "none":
      return { kind: "none" };
    case "linear": {
      const factor = metadata.number(key("scaling.factor")) ?? metadata.number(key("scale_linear")) ?? 1;
      return factor === 1 || factor === 0 ? { kind: "none" } : { kind: "linear", factor };
    }
    case "yarn": {
      const factor = positive(metadata, key("scaling.factor"));
      // 0.1 ln(factor) + 1: the recommended temperature of the YaRN paper, section 3.4.
      const temperature = factor > 1 ? 0.1 * Math.log(factor) + 1 : 1;
      return {
        kind: "yarn",
        factor,
        originalContextLength: positiveInteger(
          metadata,
          key("scaling.original_context_length"),
          positiveInteger(metadata, `${architecture}.context_length`),
        ),
        betaFast: positive(metadata, key("scaling.yarn_beta_fast"), 32),
        betaSlow: positive(metadata, key("scaling.yarn_beta_slow"), 1),
        attentionFactor: positive(metadata, key("scaling.attn_factor"), 1) * temperature,
      };
    }
    default:
      throw new EngineError(
        "unsupported_architecture",
        `Rope scaling "${type}" is not supported; none, linear and yarn are.`,
        {
          details: { architecture },
        },
      );
  }
}

function slidingWindow(metadata: Metadata, architecture: string): AttentionWindow {
  const sliding = metadata.number(`${architecture}.attention.sliding_window`) ?? 0;
  expect(Number.isInteger(sliding) && sliding >= 0, `a sliding window of ${sliding} is impossible`);
  return sliding === 0 ? "full" : { sliding };
}

function refuseUnbuilt(metadata: Metadata, architecture: string): void {
  for (const [key, neutral] of MUST_BE_NEUTRAL) {
    const value = metadata.get(`${architecture}.${key}`);
    if (value !== undefined && value !== neutral)
      throw new EngineError(
        "unsupported_architecture",
        `The model sets ${architecture}.${key} to ${value}, and this kind of ${architecture} model is not supported yet.`,
        { details: { architecture } },
      );
  }
}

function positiveInteger(metadata: Metadata, key: string, fallback?: number): number {
  const value = positive(metadata, key, fallback);
  expect(Number.isInteger(value), `${key} is ${value}, not a whole number`);
  return value;
}

function positive(metadata: Metadata, key: string, fallback?: number): number {
  const value = fallback === undefined ? metadata.requireNumber(key) : (metadata.number(key) ?? fallback);
  expect(Number.isFinite(value) && value > 0, `${key} is ${value}, not a positive number`);
  return value;
}

function expect(condition: boolean, problem: string): void {
  if (!condition)
    throw new EngineError("model_malformed", `The model's sizes contradict each other: ${problem}.`, {
      details: { offset: 0, rule: problem },
    });
}
