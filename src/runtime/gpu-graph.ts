// Graph -> prepared operations: each op becomes one or more dispatches with their buffers bound, made once at load.
import { allEnded } from "../base/all-ended.ts";
import { invariant } from "../base/invariant.ts";
import type { Device } from "../gpu/device.ts";
import type { Dispatch, Operation } from "../gpu/kernel.ts";
import { prepare } from "../gpu/kernel.ts";
import { decodeChunks } from "../kernels/attention-decode.ts";
import { rmsNorm } from "../kernels/rms-norm.ts";
import type { Graph, NormOp, NormSpec, Op } from "../model/graph.ts";
import type { Weights } from "../model/weights.ts";
import { attentionOperations, ropeKvOperation } from "./gpu-attention.ts";
import type { Compiler, Operations, StepSize } from "./gpu-compiler.ts";
import { activationOperation, embedOperations, matMulOperations } from "./gpu-linear.ts";
import { gatedLinearOperations, headOperations, matVecOperations, residualOperations } from "./gpu-mat-vec.ts";
import type { GpuState } from "./gpu-state.ts";
import type { StepPlan } from "./step-plan.ts";
import type { Variants } from "./tuning/variants.ts";

export interface CompiledGraph {
  /** Everything up to the head, for the plan's rows. */
  body(plan: StepPlan): readonly Dispatch[];
  /** The logits of `count` wanted rows. */
  head(count: number): readonly Dispatch[];
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
  variants: Variants,
  onCompiled: () => void,
): Promise<CompiledGraph> {
  const replays = new Map<string, { readonly chunks: number; readonly dispatches: readonly Dispatch[] }>();
  const { compiler, sources, free } = openCompiler({ device, graph, weights, state, variants }, () => replays.clear());

  try {
    const compile = async (_: Op, index: number) => {
      const operations = await compileOp(compiler, index);
      onCompiled();
      return operations;
    };
    const compiled = await allEnded(graph.ops.map(compile));
    const body = compiled.filter((_, index) => graph.ops[index]!.op !== "head").flat();
    const head = compiled.filter((_, index) => graph.ops[index]!.op === "head").flat();
    /** Grids depend on few numbers, the same for many tokens: what was worked out for so many rows is kept. */
    const dispatchesOf = (part: "body" | "head", size: StepSize) => {
      const key = `${part} ${size.rows}`;
      const chunks = decodeChunks(size.longest);
      let kept = replays.get(key);
      if (kept?.chunks !== chunks) {
        const operations = part === "body" ? body : head;
        const dispatches = operations.map((operation) => operation.dispatch(size)).filter((each) => each !== undefined);
        kept = { chunks, dispatches };
        replays.set(key, kept);
      }
      return kept.dispatches;
    };
    return {
      body: (plan) => dispatchesOf("body", { rows: plan.rowCount, longest: longestOf(plan) }),
      head: (count) => dispatchesOf("head", { rows: count, longest: 0 }),
      sources: [...sources].sort(),
      free,
    };
  } catch (error) {
    free();
    throw error;
  }
}

export interface OpenCompiler {
  readonly compiler: Compiler;
  /** Of all that was prepared so far. */
  readonly sources: ReadonlySet<string>;
  /** Frees what was made with it, and what still comes. */
  free(): void;
}

/** @param onLate something that was left for later is there: dispatches worked out before lack it */
export function openCompiler(
  parts: Pick<Compiler, "device" | "graph" | "weights" | "state" | "variants">,
  onLate: () => void,
): OpenCompiler {
  const { device, graph, state } = parts;
  const sources = new Set<string>();
  const frees: (() => void)[] = [];
  let freed = false;
  const compiler: Compiler = {
    ...parts,
    slot: (name) => ({ buffer: state.slots[graph.stage][name].buffer }),
    async prepare(kernel, options) {
      sources.add(kernel.source + (options.prelude ?? "") + JSON.stringify(options.overrides));
      const operation = await prepare(device, kernel, options);
      if (freed) operation.free();
      else frees.push(operation.free);
      return operation;
    },
    later(make) {
      let made: Awaited<ReturnType<typeof make>> | undefined;
      let asked = false;
      return () => {
        if (!asked) {
          asked = true;
          make().then(
            (result) => {
              made = result as Awaited<typeof result>;
              onLate();
            },
            () => {},
          );
        }
        return made;
      };
    },
  };
  return {
    compiler,
    sources,
    free() {
      freed = true;
      for (const release of frees.splice(0)) release();
    },
  };
}

/** The dispatches of one op of the compiler's graph. */
export async function compileOp(compiler: Compiler, index: number): Promise<Operations> {
  const { ops, stage } = compiler.graph;
  const op = ops[index]!;
  switch (op.op) {
    case "embed":
      return embedOperations(compiler, op, nextNorm(ops, index));
    case "norm":
      return [await normOperation(compiler, op)];
    case "linear": {
      if (stage === "prefill") return matMulOperations(compiler, op);
      if (!op.residual) return matVecOperations(compiler, op);
      const norm = nextNorm(ops, index);
      invariant(norm, "decode reads the residual stream through norms");
      return residualOperations(compiler, op, norm);
    }
    case "gatedLinear":
      return gatedLinearOperations(compiler, op);
    case "gatedActivation":
      return [await activationOperation(compiler, op)];
    case "ropeKv":
      return [await ropeKvOperation(compiler, op)];
    case "attention":
      return attentionOperations(compiler, op);
    case "head":
      return headOperations(compiler, op);
    default:
      return op satisfies never;
  }
}

/** The norm through which the residual stream is read next after the op, where that is a part of its reader. */
function nextNorm(ops: readonly Op[], index: number): NormSpec | undefined {
  const reader = ops.slice(index + 1).find((op) => "input" in op && op.input === "residual");
  return reader && "norm" in reader ? reader.norm : undefined;
}

async function normOperation(compiler: Compiler, op: NormOp): Promise<Operation<StepSize>> {
  const { weight, epsilon } = op;
  return compiler.prepare(rmsNorm, {
    label: weight.tensor,
    buffers: {
      input: compiler.slot(op.input),
      weight: compiler.weights.vectors.gain(weight),
      output: compiler.slot(op.output),
    },
    params: { width: weight.length, epsilon },
    overrides: {},
  });
}

function longestOf(plan: StepPlan): number {
  let longest = 0;
  for (let row = 0; row < plan.rowCount; row++) longest = Math.max(longest, plan.rows[row * 4 + 1]! + 1);
  invariant(longest > 0, "a step without rows");
  return longest;
}
