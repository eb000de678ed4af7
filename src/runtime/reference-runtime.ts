// The Runtime in plain loops on the CPU, over the same graph as the GPU: slow and exact, for tests and as a judge. Weights
// are dequantized to f32, sums run in float64; only KV is rounded, because the GPU stores it so.
import { EngineError } from "../base/errors.ts";
import type { Gguf } from "../gguf/gguf.ts";
import { attentionReference } from "../kernels/attention-reference.ts";
import { embedReference } from "../kernels/embed.ts";
import { gatedActivationReference } from "../kernels/gated-activation.ts";
import { DEFAULT_KV_CACHE, type KvCacheType } from "../kernels/kv-format.ts";
import { PAGE_LENGTH } from "../kernels/kv-layout.ts";
import { type LinearReferenceOptions, linearReference } from "../kernels/mat-vec.ts";
import { rmsNormReference } from "../kernels/rms-norm.ts";
import { ropeKvReference } from "../kernels/rope-kv.ts";
import { buildRopeTable } from "../kernels/rope-table.ts";
import { buildGraph, type Graph, type Op, type Slot, type Stage } from "../model/graph.ts";
import type { MatrixRef, ModelSpec } from "../model/spec.ts";
import { SAMPLING_STEPS } from "../sampling/plan.ts";
import { createKvPages } from "./kv-pages.ts";
import { dequantizeWeights, type HostWeights } from "./reference-weights.ts";
import type { Meanwhile, Runtime, RuntimeInfo, SequenceId, StepResult } from "./runtime.ts";
import { dealRows, planStep, type StepPlan } from "./step-plan.ts";

export interface ReferenceRuntimeOptions {
  readonly model: Gguf;
  readonly spec: ModelSpec;
  /** Most tokens in a sequence; the model's own by default. */
  readonly contextLength?: number | undefined;
  readonly maxSequences?: number | undefined;
  /** Pages of 64 tokens for all sequences; default: two full contexts. */
  readonly pageCount?: number | undefined;
  readonly prefillRows?: number | undefined;
  /** How keys and values are kept: as the GPU keeps them, or as they are. */
  readonly kv?: KvCacheType | "f32" | undefined;
  readonly signal?: AbortSignal | undefined;
}

const DECODE_ROWS = 16;
const PREFILL_ROWS = 256;
const MAX_SEQUENCES = 16;

/**
 * Holds the whole model as f32 on the JS heap: small models only.
 * @throws EngineError `aborted`, and what the model's sources throw
 */
export async function createReferenceRuntime(options: ReferenceRuntimeOptions): Promise<Runtime> {
  const { model, spec, kv: kvFormat = DEFAULT_KV_CACHE } = options;
  const graphs = { prefill: buildGraph(spec, "prefill"), decode: buildGraph(spec, "decode") };
  const weights = await dequantizeWeights(model, [graphs.prefill, graphs.decode], options.signal);

  const contextLength = Math.min(options.contextLength ?? spec.contextLength, spec.contextLength);
  const maxSequences = options.maxSequences ?? MAX_SEQUENCES;
  const pageCount = options.pageCount ?? 2 * Math.ceil(contextLength / PAGE_LENGTH);
  const layerPageLength = 2 * spec.kvHeadCount * PAGE_LENGTH * spec.headDim;
  const info: RuntimeInfo = {
    vocabSize: spec.vocabSize,
    contextLength,
    maxSequences,
    pageLength: PAGE_LENGTH,
    maxRows: { prefill: options.prefillRows ?? PREFILL_ROWS, decode: DECODE_ROWS },
    draftRows: DECODE_ROWS,
    stepsInFlight: 1,
    samplingSteps: SAMPLING_STEPS,
    capabilities: new Set(["logits", "match", "sample", "verify"]),
    fingerprint: { adapter: "reference", kv: kvFormat },
  };
  const kv = createKvPages({ pageCount, maxSequences, pageBytes: layerPageLength * spec.layerCount * 4 });
  const layers = spec.layers.map(() => new Float32Array(pageCount * layerPageLength));
  const factors = spec.rope.factors && weights.vector(spec.rope.factors);
  const { base, dimension, scaling } = spec.rope;
  const ropeTable = buildRopeTable({ base, dimension, scaling, ...(factors && { factors }) }, contextLength);
  let disposed = false;

  function check(): void {
    if (disposed) throw new EngineError("disposed", "The runtime was disposed; load the model again.");
  }

  function run(stage: Stage, plan: StepPlan, meanwhile?: Meanwhile): Promise<Float32Array[]> {
    for (const { from, to } of plan.copies) {
      for (const layer of layers) {
        layer.copyWithin(to * layerPageLength, from * layerPageLength, (from + 1) * layerPageLength);
      }
    }
    const pause = stage === "prefill" ? meanwhile?.run : undefined;
    return runGraph(graphs[stage], plan, { spec, weights, layers, ropeTable, kvFormat }, pause);
  }

  return {
    info,
    lost: new Promise(() => {}), // the CPU does not go away
    open() {
      check();
      return kv.open() as SequenceId;
    },
    async match(ids, search) {
      check();
      const { sequence, length } = kv.match(ids, search);
      return { sequence: sequence as SequenceId, length };
    },
    async step(batch, signal, meanwhile) {
      check();
      const plan = planStep(batch, kv, info, signal);
      const logits = await run(batch.stage, plan, meanwhile);
      return { rows: dealRows(plan, logits) } satisfies StepResult;
    },
    async fork(sequence) {
      check();
      return kv.fork(sequence) as SequenceId;
    },
    async rewind(sequence, length) {
      check();
      kv.rewind(sequence, length);
      return length;
    },
    free(sequence) {
      if (!disposed && kv.has(sequence)) kv.free(sequence);
    },
    dispose() {
      disposed = true;
    },
  };
}

interface Machine {
  readonly spec: ModelSpec;
  readonly weights: HostWeights;
  /** Keys and values of each layer, see kv-layout.ts. */
  readonly layers: readonly Float32Array[];
  readonly ropeTable: Float32Array;
  readonly kvFormat: KvCacheType | "f32";
}

/** One row of logits for each wanted row. With a pause it stops once, half way. */
async function runGraph(
  graph: Graph,
  plan: StepPlan,
  machine: Machine,
  pause?: () => Promise<void>,
): Promise<Float32Array[]> {
  const slots = new Map<Slot, Float32Array>();
  for (const [slot, width] of Object.entries(graph.widths) as [Slot, number][]) {
    slots.set(slot, new Float32Array((slot === "logits" ? plan.wanted.length : plan.rowCount) * width));
  }
  for (const [index, op] of graph.ops.entries()) {
    if (pause && index === graph.ops.length >> 1) await pause();
    runOp(op, graph, plan, machine, slots);
  }
  const [logits, width] = [slots.get("logits")!, graph.widths.logits];
  return Array.from(plan.wanted, (_, row) => logits.slice(row * width, (row + 1) * width));
}

function runOp(op: Op, graph: Graph, plan: StepPlan, machine: Machine, slots: ReadonlyMap<Slot, Float32Array>): void {
  const { spec, weights } = machine;
  const { headCount, kvHeadCount, headDim } = spec;
  const output = slots.get(op.output)!;
  const given = "input" in op ? slots.get(op.input)! : output;
  const norm = "norm" in op ? op.norm : undefined;
  const input = norm ? rmsNormReference(given, weights.vector(norm.weight), norm.epsilon) : given;
  const product = (ref: MatrixRef, more: Partial<LinearReferenceOptions> = {}) =>
    linearReference({ input, weights: weights.matrix(ref), columns: ref.columns, ...more });
  switch (op.op) {
    case "embed": {
      const tokens = Array.from({ length: plan.rowCount }, (_, row) => plan.rows[row * 4]!);
      output.set(embedReference(tokens, weights.matrix(op.weight), op.weight.columns, 1));
      break;
    }
    case "norm":
      output.set(rmsNormReference(input, weights.vector(op.weight), op.epsilon));
      break;
    case "linear": {
      let first = op.firstRow;
      op.weights.forEach((ref, index) => {
        const bias = op.biases?.[index];
        const sums = product(ref, bias && { bias: weights.vector(bias) });
        addColumns(sums, ref.rows, output, graph.widths[op.output], first, op.residual);
        first += ref.rows;
      });
      break;
    }
    case "gatedLinear": {
      const width = op.gate.rows;
      const both = new Float32Array(plan.rowCount * 2 * width);
      addColumns(product(op.gate), width, both, 2 * width, 0, false);
      addColumns(product(op.up), width, both, 2 * width, width, false);
      output.set(gatedActivationReference(both, width, op.activation));
      break;
    }
    case "gatedActivation":
      output.set(gatedActivationReference(input, op.width, op.activation));
      break;
    case "ropeKv": {
      const queries = ropeKvReference(
        {
          headCount,
          kvHeadCount,
          headDim,
          qkv: input,
          rowStride: graph.widths[op.input],
          queryOffset: 0,
          keyOffset: headCount * headDim,
          valueOffset: (headCount + kvHeadCount) * headDim,
          ...(op.queryNorm && { queryNorm: weights.vector(op.queryNorm) }),
          ...(op.keyNorm && { keyNorm: weights.vector(op.keyNorm) }),
          epsilon: op.epsilon,
          queryScale: op.queryScale,
          layout: op.rope.layout,
          ropeDim: op.rope.dimension,
          table: machine.ropeTable,
          rows: plan.rows,
          pages: plan.pages,
          kvFormat: machine.kvFormat,
        },
        machine.layers[op.layer]!,
      );
      output.set(queries);
      break;
    }
    case "attention": {
      const attended = attentionReference({
        headCount,
        kvHeadCount,
        headDim,
        queries: input,
        kv: machine.layers[op.layer]!,
        rows: plan.rows,
        pages: plan.pages,
        window: op.window === "full" ? 0 : op.window.sliding,
        softCap: 0,
      });
      output.set(attended);
      break;
    }
    case "head":
      output.set(product(op.weight, { wanted: plan.wanted }));
      break;
    default:
      op satisfies never;
  }
}

/** Writes [rows, width] into columns `first ...` of [rows, outputWidth], or adds it to what is there. */
function addColumns(
  values: Float64Array,
  width: number,
  output: Float32Array,
  outputWidth: number,
  first: number,
  accumulate: boolean,
): void {
  values.forEach((value, index) => {
    const at = Math.floor(index / width) * outputWidth + first + (index % width);
    output[at] = accumulate ? output[at]! + value : value;
  });
}
