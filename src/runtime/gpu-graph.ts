// Graph -> prepared operations: each op becomes one or more dispatches with their buffers bound, made once at load.
import { allEnded } from "../base/all-ended.ts";
import { invariant } from "../base/invariant.ts";
import { USAGE } from "../gpu/buffers.ts";
import type { Device } from "../gpu/device.ts";
import type { BufferBinding, Operation } from "../gpu/kernel.ts";
import { prepare } from "../gpu/kernel.ts";
import type { Recorder } from "../gpu/recorder.ts";
import { attentionDecode, decodeChunks } from "../kernels/attention-decode.ts";
import { attentionPrefillFor } from "../kernels/attention-prefill.ts";
import { attentionReduce } from "../kernels/attention-reduce.ts";
import { rmsNorm } from "../kernels/rms-norm.ts";
import { ropeKv } from "../kernels/rope-kv.ts";
import type { AttentionOp, Graph, NormOp, Op, RopeKvOp } from "../model/graph.ts";
import type { AttentionWindow, VectorRef } from "../model/spec.ts";
import type { Weights } from "../model/weights.ts";
import type { Compiler, Operations, StepSize } from "./gpu-compiler.ts";
import {
  activationOperation,
  embedOperations,
  gatedLinearOperations,
  linearOperations,
  matMulOperation,
  matVecOperation,
} from "./gpu-linear.ts";
import type { GpuState } from "./gpu-state.ts";
import type { StepPlan } from "./step-plan.ts";

export interface CompiledGraph {
  /** Everything up to the head, for the plan's rows. */
  recordBody(recorder: Recorder, plan: StepPlan): void;
  /** The logits of `count` wanted rows. */
  recordHead(recorder: Recorder, count: number): void;
  /** What the kernels are made of: whatever changes here may change a bit of the output. */
  readonly sources: readonly string[];
  free(): void;
}

/**
 * Pipelines are shared by all operations that differ in buffers and parameters only.
 * @param onCompiled called once for each op of the graph
 * @throws EngineError `device_lost`, `out_of_memory`, `webgpu_unavailable` when the driver refuses a pipeline
 */
export async function compileGraph(
  device: Device,
  graph: Graph,
  weights: Weights,
  state: GpuState,
  onCompiled: () => void,
): Promise<CompiledGraph> {
  const sources = new Set<string>();
  const frees: (() => void)[] = [];
  const compiler: Compiler = {
    device,
    graph,
    weights,
    state,
    slot: (name) => ({ buffer: state.slots[name].buffer }),
    async vector(label, values) {
      const buffer = await device.buffers.create({
        label,
        byteLength: values.byteLength,
        usage: USAGE.STORAGE | USAGE.COPY_DST,
      });
      frees.push(buffer.free);
      device.buffers.write(buffer, values);
      return buffer;
    },
    async prepare(kernel, options) {
      sources.add(kernel.source + (options.prelude ?? "") + JSON.stringify(options.overrides));
      const operation = await prepare(device, kernel, options);
      frees.push(operation.free);
      return operation;
    },
  };
  const free = () => {
    for (const release of frees.splice(0)) release();
  };

  try {
    const compile = async (op: Op) => {
      const operations = await compileOp(compiler, op);
      onCompiled();
      return operations;
    };
    const compiled = await allEnded(graph.ops.map(compile));
    const body = compiled.filter((_, index) => graph.ops[index]!.op !== "head").flat();
    const head = compiled.filter((_, index) => graph.ops[index]!.op === "head").flat();
    return {
      recordBody(recorder, plan) {
        const size = { rows: plan.rowCount, longest: longestOf(plan) };
        for (const operation of body) recorder.run(operation, size);
      },
      recordHead(recorder, count) {
        for (const operation of head) recorder.run(operation, { rows: count, longest: 0 });
      },
      sources: [...sources].sort(),
      free,
    };
  } catch (error) {
    free();
    throw error;
  }
}

async function compileOp(compiler: Compiler, op: Op): Promise<Operations> {
  switch (op.op) {
    case "embed":
      return embedOperations(compiler, op);
    case "norm":
      return [await normOperation(compiler, op)];
    case "linear":
      return linearOperations(compiler, op, compiler.graph.stage === "decode" ? matVecOperation : matMulOperation);
    case "gatedLinear":
      return gatedLinearOperations(compiler, op);
    case "gatedActivation":
      return [await activationOperation(compiler, op)];
    case "ropeKv":
      return [await ropeKvOperation(compiler, op)];
    case "attention":
      return attentionOperations(compiler, op);
    case "head":
      // Few rows want logits in either stage, so the head is always a mat-vec.
      return linearOperations(
        compiler,
        { op: "linear", weights: [op.weight], input: op.input, output: op.output, firstRow: 0, residual: false },
        matVecOperation,
        true,
      );
    default:
      return op satisfies never;
  }
}

async function normOperation(compiler: Compiler, op: NormOp): Promise<Operation<StepSize>> {
  const { weight, epsilon } = op;
  return compiler.prepare(rmsNorm, {
    label: weight.tensor,
    buffers: {
      input: compiler.slot(op.input),
      weight: await compiler.vector(weight.tensor, compiler.weights.vector(weight)),
      output: compiler.slot(op.output),
    },
    params: { width: weight.length, epsilon },
    overrides: {},
  });
}

async function ropeKvOperation(compiler: Compiler, op: RopeKvOp): Promise<Operation<StepSize>> {
  const { headCount, kvHeadCount, headDim, widths } = compiler.graph;
  const { state, weights } = compiler;
  const norm = (ref: VectorRef | undefined) =>
    ref ? compiler.vector(ref.tensor, weights.vector(ref)) : Promise.resolve<BufferBinding>(state.ropeTable);
  return compiler.prepare(ropeKv, {
    label: `rope of layer ${op.layer}`,
    buffers: {
      qkv: compiler.slot(op.input),
      queryNorm: await norm(op.queryNorm),
      keyNorm: await norm(op.keyNorm),
      table: state.ropeTable,
      rows: state.rows,
      pages: state.pages,
      queries: compiler.slot(op.output),
      kv: state.kv[op.layer]!,
    },
    params: {
      rowStride: widths[op.input],
      queryOffset: 0,
      keyOffset: headCount * headDim,
      valueOffset: (headCount + kvHeadCount) * headDim,
      headCount,
      kvHeadCount,
      queryScale: op.queryScale,
      epsilon: op.epsilon,
    },
    overrides: {
      HEAD_DIM: headDim,
      ROPE_DIM: op.rope.dimension,
      HALVES: op.rope.layout === "halves",
      HAS_QUERY_NORM: op.queryNorm !== undefined,
      HAS_KEY_NORM: op.keyNorm !== undefined,
    },
  });
}

async function attentionOperations(compiler: Compiler, op: AttentionOp): Promise<Operations> {
  const { state } = compiler;
  const { headCount, kvHeadCount, headDim, stage } = compiler.graph;
  const window = windowLength(op.window);
  const overrides = { HEAD_DIM: headDim };
  const label = `attention of layer ${op.layer}`;
  const { rows, pages } = state;
  const queries = compiler.slot(op.input);
  const output = compiler.slot(op.output);
  const kv = state.kv[op.layer]!;
  if (stage === "prefill") {
    const params = { headCount, kvHeadCount, window, softCap: 0 };
    const buffers = { step: state.step, queries, kv, rows, pages, output };
    return [
      await compiler.prepare(attentionPrefillFor(compiler.device.adapter), { label, buffers, params, overrides }),
    ];
  }
  const maxChunks = decodeChunks(state.memory.contextLength);
  const partials = state.partials;
  return allEnded([
    compiler.prepare(attentionDecode, {
      label,
      buffers: { queries, kv, rows, pages, partials },
      params: { headCount, kvHeadCount, window, softCap: 0, maxChunks },
      overrides,
    }),
    compiler.prepare(attentionReduce, {
      label: `${label}, reduced`,
      buffers: { partials, rows, output },
      params: { headCount, window, maxChunks },
      overrides,
    }),
  ]);
}

/** In keys; 0 is what kernels take for all of them. */
function windowLength(window: AttentionWindow): number {
  return window === "full" ? 0 : window.sliding;
}

function longestOf(plan: StepPlan): number {
  let longest = 0;
  for (let row = 0; row < plan.rowCount; row++) longest = Math.max(longest, plan.rows[row * 4 + 1]! + 1);
  invariant(longest > 0, "a step without rows");
  return longest;
}
