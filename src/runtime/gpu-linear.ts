// The ops that read matrices, compiled: embedding, products, the gated feed-forward.
import { allEnded } from "../base/all-ended.ts";
import type { BufferBinding, Operation } from "../gpu/kernel.ts";
import { embed } from "../kernels/embed.ts";
import { ACTIVATIONS, gatedActivation } from "../kernels/gated-activation.ts";
import { matMul, matMulTiles } from "../kernels/mat-mul.ts";
import { matMulBroadcast, matMulLanes } from "../kernels/mat-mul-broadcast.ts";
import { matVec, matVecSlices } from "../kernels/mat-vec.ts";
import { matVecGated } from "../kernels/mat-vec-gated.ts";
import type { EmbedOp, GatedActivationOp, GatedLinearOp, LinearOp } from "../model/graph.ts";
import type { Matrix } from "../model/weights.ts";
import type { Compiler, Operations, StepSize } from "./gpu-compiler.ts";

export async function embedOperations(compiler: Compiler, { weight, output }: EmbedOp): Promise<Operations> {
  const { state, weights } = compiler;
  return allEnded(
    weights.matrices([weight]).flatMap(({ format, columns, parts }) =>
      parts.map(({ firstRow, rowCount, quants, extras }) =>
        compiler.prepare(embed, {
          label: weight.tensor,
          buffers: { rows: state.rows, quants, extras, output: compiler.slot(output) },
          params: { columns, rowCount, rowOffset: firstRow, scale: 1 },
          overrides: {},
          prelude: format.prelude,
        }),
      ),
    ),
  );
}

/** What mat-vec and mat-mul share. */
interface LinearPart {
  readonly label: string;
  readonly prelude: string;
  readonly buffers: Readonly<Record<"input" | "quants" | "extras" | "bias" | "wanted" | "output", BufferBinding>>;
  readonly params: Readonly<Record<keyof typeof matVec.params, number>>;
}
export type LinearKernel = (compiler: Compiler, part: LinearPart) => Promise<Operation<StepSize>>;

export const matVecOperation: LinearKernel = (compiler, part) =>
  compiler.prepare(matVec, { ...part, overrides: { SLICES: matVecSlices(compiler.device.adapter) } });

export const matMulOperation: LinearKernel = (compiler, part) => {
  const { adapter } = compiler.device;
  const bound = { ...part, buffers: { ...part.buffers, step: compiler.state.step } };
  const lanes = matMulLanes(adapter);
  if (lanes === undefined) return compiler.prepare(matMul, { ...bound, overrides: { TILES: matMulTiles(adapter) } });
  return compiler.prepare(matMulBroadcast, { ...bound, prelude: part.prelude + lanes, overrides: {} });
};

/** One dispatch for each part of each matrix: one in all, but for tensors beyond the binding limit or that cannot be stacked. */
export async function linearOperations(
  compiler: Compiler,
  op: LinearOp,
  kernel: LinearKernel,
  gather = false,
): Promise<Operations> {
  const { weights, state, graph } = compiler;
  const bias = await biasOf(compiler, op);
  const operations: Promise<Operation<StepSize>>[] = [];
  let matrixRow = 0;
  for (const { format, rows, columns, parts } of weights.matrices(op.weights)) {
    for (const { firstRow, rowCount, quants, extras } of parts) {
      const row = matrixRow + firstRow;
      const part: LinearPart = {
        label: op.weights[0]!.tensor,
        prelude: format.prelude,
        buffers: {
          input: compiler.slot(op.input),
          quants,
          extras,
          bias: bias ?? quants,
          wanted: state.wanted,
          output: compiler.slot(op.output),
        },
        params: {
          columns,
          rowCount,
          rowOffset: op.firstRow + row,
          biasOffset: row,
          outStride: graph.widths[op.output],
          accumulate: Number(op.residual),
          hasBias: Number(bias !== undefined),
          gather: Number(gather),
        },
      };
      operations.push(kernel(compiler, part));
    }
    matrixRow += rows;
  }
  return allEnded(operations);
}

/** The biases below each other, zeros where there is none. */
async function biasOf({ weights, vector }: Compiler, op: LinearOp): Promise<BufferBinding | undefined> {
  if (!op.biases) return undefined;
  const values = new Float32Array(op.weights.reduce((sum, { rows }) => sum + rows, 0));
  let row = 0;
  op.weights.forEach(({ rows }, index) => {
    const bias = op.biases?.[index];
    if (bias) values.set(weights.vector(bias), row);
    row += rows;
  });
  return vector(`bias of ${op.weights[0]!.tensor}`, values);
}

/** One dispatch where gate and up are one stack in one binding; else their products, then the activation. */
export async function gatedLinearOperations(compiler: Compiler, op: GatedLinearOp): Promise<Operations> {
  const refs = [op.gate, op.up];
  const stack = soleMatrix(compiler.weights.matrices(refs));
  const part = stack?.parts.length === 1 ? stack.parts[0] : undefined;
  if (stack && part) {
    const operation = compiler.prepare(matVecGated, {
      label: op.gate.tensor,
      buffers: {
        input: compiler.slot(op.input),
        quants: part.quants,
        extras: part.extras,
        output: compiler.slot(op.output),
      },
      params: { columns: stack.columns, width: op.gate.rows },
      overrides: {
        SLICES: matVecSlices(compiler.device.adapter),
        ACTIVATION: ACTIVATIONS.indexOf(op.activation),
      },
      prelude: stack.format.prelude,
    });
    return [await operation];
  }
  const products: LinearOp = {
    op: "linear",
    weights: refs,
    input: op.input,
    output: "gateUp",
    firstRow: 0,
    residual: false,
  };
  const width = op.gate.rows;
  const wide = { ...compiler, graph: { ...compiler.graph, widths: { ...compiler.graph.widths, gateUp: 2 * width } } };
  return [
    ...(await linearOperations(wide, products, matVecOperation)),
    await activationOperation(compiler, {
      op: "gatedActivation",
      activation: op.activation,
      width,
      input: "gateUp",
      output: op.output,
    }),
  ];
}

function soleMatrix(matrices: readonly Matrix[]): Matrix | undefined {
  return matrices.length === 1 ? matrices[0] : undefined;
}

export async function activationOperation(compiler: Compiler, op: GatedActivationOp): Promise<Operation<StepSize>> {
  return compiler.prepare(gatedActivation, {
    label: op.activation,
    buffers: { input: compiler.slot(op.input), output: compiler.slot(op.output) },
    params: { width: op.width },
    overrides: { ACTIVATION: ACTIVATIONS.indexOf(op.activation) },
  });
}
