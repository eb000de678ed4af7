// ModelSpec -> ops: one flat list in reading order, consumed by every runtime. It never names an architecture.
import { columnsInSum, squaresWidth } from "../kernels/mat-vec-residual.ts";
import type { Activation, AttentionWindow, LinearSpec, MatrixRef, ModelSpec, RopeSpec, VectorRef } from "./spec.ts";

/** `prefill` is written for many rows, `decode` for few: the same mathematics, other fusions. */
export type Stage = "prefill" | "decode";

/**
 * Activation buffers, f32 [rows, width]. `logits` has one row for each wanted row of the step. `squares` is for runtimes whose
 * producers of `residual` prepare the norm behind them: see kernels/mat-vec-residual.ts.
 */
export type Slot = "residual" | "normed" | "squares" | "qkv" | "queries" | "attended" | "gateUp" | "gated" | "logits";

export interface EmbedOp {
  readonly op: "embed";
  readonly weight: MatrixRef;
  readonly output: Slot;
}

export interface NormSpec {
  readonly weight: VectorRef;
  readonly epsilon: number;
}

/** RMS norm of each row. */
export interface NormOp extends NormSpec {
  readonly op: "norm";
  readonly input: Slot;
  readonly output: Slot;
}

/** `output[firstRow ...] (+)= W * input (+ bias)`, W being the weights below each other: one format, so one stack. */
export interface LinearOp {
  readonly op: "linear";
  readonly weights: readonly MatrixRef[];
  /** One entry for each weight; absent when none has a bias. */
  readonly biases?: readonly (VectorRef | undefined)[];
  /** RMS norm of `input` on the way in: decode's way, where a norm of its own would cost a dispatch. */
  readonly norm?: NormSpec;
  readonly input: Slot;
  readonly output: Slot;
  /** Where the stack's first output lies in a row of `output`. */
  readonly firstRow: number;
  /** Adds to `output` in place of overwriting it. */
  readonly residual: boolean;
}

/** Decode's feed-forward in one dispatch: `output = act(gate * input) * (up * input)`, gate and up of one format. */
export interface GatedLinearOp {
  readonly op: "gatedLinear";
  readonly gate: MatrixRef;
  readonly up: MatrixRef;
  readonly activation: Activation;
  /** As of LinearOp. */
  readonly norm?: NormSpec;
  readonly input: Slot;
  readonly output: Slot;
}

/** `output = act(input[.. width]) * input[width ..]`, rows of 2 * width to rows of width. */
export interface GatedActivationOp {
  readonly op: "gatedActivation";
  readonly activation: Activation;
  readonly width: number;
  readonly input: Slot;
  readonly output: Slot;
}

/** Optional norms of query and key heads, rope, K and V into the layer's pages, scaled queries to `output`. */
export interface RopeKvOp {
  readonly op: "ropeKv";
  readonly layer: number;
  /** [rows, (headCount + 2 * kvHeadCount) * headDim]: queries, keys, values. */
  readonly input: Slot;
  readonly output: Slot;
  readonly rope: RopeSpec;
  readonly queryNorm?: VectorRef;
  readonly keyNorm?: VectorRef;
  readonly epsilon: number;
  readonly queryScale: number;
}

/** Softmax over the keys of the row's sequence up to its own position and inside the window. */
export interface AttentionOp {
  readonly op: "attention";
  readonly layer: number;
  readonly input: Slot;
  readonly output: Slot;
  readonly window: AttentionWindow;
}

/** Logits of the wanted rows of `input`. */
export interface HeadOp {
  readonly op: "head";
  readonly weight: MatrixRef;
  /** As of LinearOp. */
  readonly norm?: NormSpec;
  readonly input: Slot;
  readonly output: Slot;
}

export type Op = EmbedOp | NormOp | LinearOp | GatedLinearOp | GatedActivationOp | RopeKvOp | AttentionOp | HeadOp;

export interface Graph {
  readonly stage: Stage;
  readonly ops: readonly Op[];
  /** Elements in a row of each slot. A slot that this stage leaves out has width 0. */
  readonly widths: Readonly<Record<Slot, number>>;
  readonly headCount: number;
  readonly kvHeadCount: number;
  readonly headDim: number;
}

export function buildGraph(spec: ModelSpec, stage: Stage): Graph {
  const ops: Op[] = [{ op: "embed", weight: spec.embedding, output: "residual" }];
  spec.layers.forEach((layer, index) => {
    ops.push(...attentionOps(spec, index, stage), ...feedForwardOps(spec, layer.feedForward, stage));
  });
  const { before, normed } = normedInput(spec, spec.outputNorm, stage);
  ops.push(...before, { op: "head", weight: spec.head, ...normed, output: "logits" });

  const { headCount, kvHeadCount, headDim } = spec;
  const widths: Record<Slot, number> = {
    residual: spec.hiddenSize,
    normed: spec.hiddenSize,
    squares: stage === "decode" ? squaresWidth(spec.hiddenSize, columnsInSum(false)) : 0, // enough for any adapter
    qkv: (headCount + 2 * kvHeadCount) * headDim,
    queries: headCount * headDim,
    attended: headCount * headDim,
    gateUp: 2 * spec.intermediateSize,
    gated: spec.intermediateSize,
    logits: spec.vocabSize,
  };
  return { stage, ops, widths, headCount, kvHeadCount, headDim };
}

function attentionOps(spec: ModelSpec, layer: number, stage: Stage): Op[] {
  const attention = spec.layers[layer]!.attention;
  const { before, normed } = normedInput(spec, attention.norm, stage);
  return [
    ...before,
    ...linear([attention.query, attention.key, attention.value], normed, "qkv"),
    {
      op: "ropeKv",
      layer,
      input: "qkv",
      output: "queries",
      rope: spec.rope,
      ...(attention.queryNorm && { queryNorm: attention.queryNorm }),
      ...(attention.keyNorm && { keyNorm: attention.keyNorm }),
      epsilon: spec.normEpsilon,
      queryScale: spec.attentionScale,
    },
    { op: "attention", layer, input: "queries", output: "attended", window: attention.window },
    ...linear([attention.output], { input: "attended" }, "residual", true),
  ];
}

function feedForwardOps(spec: ModelSpec, ffn: ModelSpec["layers"][number]["feedForward"], stage: Stage): Op[] {
  const { gate, up, down, activation } = ffn;
  // The fused kernel reads gate and up as one stack and has no bias; mat-mul writes both and activates afterwards.
  const fused = stage === "decode" && gate.weight.format === up.weight.format && !gate.bias && !up.bias;
  const { before, normed } = normedInput(spec, ffn.norm, stage);
  return [
    ...before,
    ...(fused
      ? [
          {
            op: "gatedLinear",
            gate: gate.weight,
            up: up.weight,
            activation,
            ...normed,
            output: "gated",
          } satisfies Op,
        ]
      : [
          ...linear([gate, up], normed, "gateUp"),
          {
            op: "gatedActivation",
            activation,
            width: spec.intermediateSize,
            input: "gateUp",
            output: "gated",
          } satisfies Op,
        ]),
    ...linear([down], { input: "gated" }, "residual", true),
  ];
}

/** An op's input, with a norm on the way in or not. */
type Input = Pick<LinearOp, "input" | "norm">;

/** The norm of the residual stream: an op before its readers in prefill, a part of each of them in decode. */
function normedInput(spec: ModelSpec, weight: VectorRef, stage: Stage): { before: readonly Op[]; normed: Input } {
  const norm = { weight, epsilon: spec.normEpsilon };
  if (stage === "decode") return { before: [], normed: { input: "residual", norm } };
  return { before: [{ op: "norm", ...norm, input: "residual", output: "normed" }], normed: { input: "normed" } };
}

/** One op for each run of neighbouring parts that have one format: a file may store V finer than Q and K. */
function linear(parts: readonly LinearSpec[], input: Input, output: Slot, residual = false): Op[] {
  const ops: Op[] = [];
  let firstRow = 0;
  for (let start = 0, end = 0; start < parts.length; start = end) {
    const format = parts[start]!.weight.format;
    while (parts[end]?.weight.format === format) end++;
    const run = parts.slice(start, end);
    ops.push({
      op: "linear",
      weights: run.map((part) => part.weight),
      ...(run.some((part) => part.bias) && { biases: run.map((part) => part.bias) }),
      ...input,
      output,
      firstRow,
      residual,
    });
    firstRow += run.reduce((sum, part) => sum + part.weight.rows, 0);
  }
  return ops;
}
