// The Runtime in plain loops on the CPU, over the same graph as the GPU: slow and exact, for tests and as a judge. Weights
// are dequantized to f32, sums run in float64; only KV is rounded, to f16, because the GPU stores it so.
import { EngineError } from "../base/errors.ts";
import type { Gguf } from "../gguf/gguf.ts";
import {
  type AttentionOp,
  buildGraph,
  type Graph,
  type Op,
  type RopeKvOp,
  type Slot,
  type Stage,
} from "../model/graph.ts";
import type { ModelSpec } from "../model/spec.ts";
import { createKvPages, PAGE_LENGTH } from "./kv-pages.ts";
import * as math from "./reference-math.ts";
import { dequantizeWeights, type HostWeights } from "./reference-weights.ts";
import type { Runtime, RuntimeInfo, SequenceId, StepId, StepResult } from "./runtime.ts";
import { dealLogits, planStep, type StepPlan } from "./step-plan.ts";

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
  readonly kv?: "f16" | "f32" | undefined;
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
  const { model, spec, kv: kvFormat = "f16" } = options;
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
    maxRows: { prefill: options.prefillRows ?? PREFILL_ROWS, decode: DECODE_ROWS },
    samplingSteps: [],
    capabilities: new Set(["logits"]),
    fingerprint: { adapter: "reference", kv: kvFormat },
  };
  const kv = createKvPages({ pageCount, maxSequences, pageBytes: layerPageLength * spec.layerCount * 4 });
  const layers = spec.layers.map(() => new Float32Array(pageCount * layerPageLength));
  const rotation = math.ropeTable(spec.rope, contextLength, spec.rope.factors && weights.vector(spec.rope.factors));
  let disposed = false;
  let stepCount = 0;

  function check(): void {
    if (disposed) throw new EngineError("disposed", "The runtime was disposed; load the model again.");
  }

  function run(stage: Stage, plan: StepPlan): Float32Array[] {
    for (const { from, to } of plan.copies) {
      for (const layer of layers) {
        layer.copyWithin(to * layerPageLength, from * layerPageLength, (from + 1) * layerPageLength);
      }
    }
    return runGraph(graphs[stage], plan, { weights, layers, rotation, kvFormat, vocabSize: spec.vocabSize });
  }

  return {
    info,
    lost: new Promise(() => {}), // the CPU does not go away
    open() {
      check();
      return kv.open() as SequenceId;
    },
    async match() {
      check();
      return { sequence: kv.open() as SequenceId, length: 0 }; // keeps no prefixes, so it knows none
    },
    async step(batch, signal) {
      check();
      const plan = planStep(batch, kv, info, signal);
      const logits = run(batch.stage, plan);
      return { step: ++stepCount as StepId, rows: dealLogits(plan, logits) } satisfies StepResult;
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
  readonly weights: HostWeights;
  /** Per layer: [page, keys | values, kvHeadCount, position in page, headDim]. */
  readonly layers: readonly Float32Array[];
  readonly rotation: math.RopeTable;
  readonly kvFormat: "f16" | "f32";
  readonly vocabSize: number;
}

/** One row of logits for each wanted row. */
function runGraph(graph: Graph, plan: StepPlan, machine: Machine): Float32Array[] {
  const slots = new Map<Slot, Float32Array[]>();
  for (const [slot, width] of Object.entries(graph.widths) as [Slot, number][]) {
    const rows = slot === "logits" ? plan.wanted.length : plan.rowCount;
    slots.set(
      slot,
      Array.from({ length: rows }, () => new Float32Array(width)),
    );
  }
  for (const op of graph.ops) runOp(op, graph, plan, machine, (slot) => slots.get(slot)!);
  return slots.get("logits")!;
}

function runOp(op: Op, graph: Graph, plan: StepPlan, machine: Machine, slot: (name: Slot) => Float32Array[]): void {
  const { weights } = machine;
  const output = slot(op.output);
  const eachRow = (work: (row: number) => void) => {
    for (let row = 0; row < plan.rowCount; row++) work(row);
  };
  switch (op.op) {
    case "embed":
      eachRow((row) => {
        const { columns } = op.weight;
        const id = plan.rows[row * 4]!;
        output[row]!.set(weights.matrix(op.weight).subarray(id * columns, (id + 1) * columns));
      });
      break;
    case "norm":
      eachRow((row) => math.rmsNorm(slot(op.input)[row]!, weights.vector(op.weight), op.epsilon, output[row]!));
      break;
    case "linear": {
      let first = op.firstRow;
      op.weights.forEach((ref, index) => {
        const bias = op.biases?.[index];
        const part = output.map((row) => row.subarray(first, first + ref.rows));
        math.linear(weights.matrix(ref), slot(op.input), part, {
          add: op.residual,
          ...(bias && { bias: weights.vector(bias) }),
        });
        first += ref.rows;
      });
      break;
    }
    case "gatedLinear": {
      const gate = slot(op.input).map(() => new Float32Array(op.gate.rows));
      math.linear(weights.matrix(op.gate), slot(op.input), gate);
      math.linear(weights.matrix(op.up), slot(op.input), output);
      eachRow((row) => math.gate(op.activation, gate[row]!, output[row]!, output[row]!));
      break;
    }
    case "gatedActivation":
      eachRow((row) => {
        const both = slot(op.input)[row]!;
        math.gate(op.activation, both.subarray(0, op.width), both.subarray(op.width), output[row]!);
      });
      break;
    case "ropeKv":
      eachRow((row) => ropeKv(op, graph, plan, machine, row, slot(op.input)[row]!, output[row]!));
      break;
    case "attention":
      eachRow((row) => attend(op, graph, plan, machine, row, slot(op.input)[row]!, output[row]!));
      break;
    case "head": {
      const wanted = Array.from(plan.wanted, (row) => slot(op.input)[row]!);
      math.linear(weights.matrix(op.weight), wanted, output);
      break;
    }
    default:
      op satisfies never;
  }
}

/** Where the vector of a position starts in a layer's pages. */
function kvOffset(graph: Graph, plan: StepPlan, row: number, kind: "key" | "value", head: number, position: number) {
  const page = plan.pages[plan.rows[row * 4 + 2]! + Math.floor(position / PAGE_LENGTH)]!;
  const plane = (page * 2 + (kind === "value" ? 1 : 0)) * graph.kvHeadCount + head;
  return (plane * PAGE_LENGTH + (position % PAGE_LENGTH)) * graph.headDim;
}

function ropeKv(
  op: RopeKvOp,
  graph: Graph,
  plan: StepPlan,
  { weights, layers, rotation, kvFormat }: Machine,
  row: number,
  input: Float32Array,
  queries: Float32Array,
): void {
  const { headCount, kvHeadCount, headDim } = graph;
  const position = plan.rows[row * 4 + 1]!;
  const store = kvFormat === "f16" ? math.roundToHalf : (value: number) => value;
  for (let head = 0; head < headCount + 2 * kvHeadCount; head++) {
    const kind = head < headCount ? "query" : head < headCount + kvHeadCount ? "key" : "value";
    const vector = input.slice(head * headDim, (head + 1) * headDim);
    const norm = kind === "query" ? op.queryNorm : kind === "key" ? op.keyNorm : undefined;
    if (norm) math.rmsNorm(vector, weights.vector(norm), op.epsilon, vector);
    if (kind !== "value") math.rotate(vector, op.rope.layout, rotation, position);
    if (kind === "query") {
      for (let i = 0; i < headDim; i++) queries[head * headDim + i] = vector[i]! * op.queryScale;
    } else {
      const at = kvOffset(graph, plan, row, kind, (head - headCount) % kvHeadCount, position);
      for (let i = 0; i < headDim; i++) layers[op.layer]![at + i] = store(vector[i]!);
    }
  }
}

function attend(
  op: AttentionOp,
  graph: Graph,
  plan: StepPlan,
  { layers }: Machine,
  row: number,
  queries: Float32Array,
  out: Float32Array,
): void {
  const { headCount, kvHeadCount, headDim } = graph;
  const layer = layers[op.layer]!;
  const position = plan.rows[row * 4 + 1]!;
  const first = op.window === "full" ? 0 : Math.max(0, position + 1 - op.window.sliding);
  for (let head = 0; head < headCount; head++) {
    const kvHead = Math.floor((head * kvHeadCount) / headCount);
    const scores = new Float64Array(position + 1 - first);
    for (let s = 0; s < scores.length; s++) {
      const at = kvOffset(graph, plan, row, "key", kvHead, first + s);
      for (let i = 0; i < headDim; i++) scores[s]! += queries[head * headDim + i]! * layer[at + i]!;
    }
    const largest = scores.reduce((a, b) => Math.max(a, b));
    const exps = scores.map((score) => Math.exp(score - largest));
    const total = exps.reduce((a, b) => a + b);
    const sums = new Float64Array(headDim);
    for (let s = 0; s < exps.length; s++) {
      const at = kvOffset(graph, plan, row, "value", kvHead, first + s);
      for (let i = 0; i < headDim; i++) sums[i]! += (exps[s]! / total) * layer[at + i]!;
    }
    out.set(sums, head * headDim);
  }
}
