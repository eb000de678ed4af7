// The ops that read matrices, compiled: embedding, products, the gated feed-forward.
import { allEnded } from "../base/all-ended.ts";
import { invariant } from "../base/invariant.ts";
import type { Operation, TextureBinding } from "../gpu/kernel.ts";
import { embed } from "../kernels/embed.ts";
import { ACTIVATIONS, gatedActivation } from "../kernels/gated-activation.ts";
import { matMul } from "../kernels/mat-mul.ts";
import { matMulBroadcast4, matMulBroadcast8 } from "../kernels/mat-mul-broadcast.ts";
import { matMulStaged } from "../kernels/mat-mul-staged.ts";
import { matMulPrelude, readsTexture } from "../kernels/mat-mul-variant.ts";
import { columnsInSum } from "../kernels/mat-vec-residual.ts";
import { rowsToTexture } from "../kernels/rows-to-texture.ts";
import type { EmbedOp, GatedActivationOp, LinearOp, NormSpec } from "../model/graph.ts";
import type { Matrix, MatrixPart } from "../model/weights.ts";
import { ROW_TILE } from "../quant/format.ts";
import type { Compiler, Operations, StepSize } from "./gpu-compiler.ts";

/** @param norm the norm that the embeddings go through first, where its reader expects them prepared for it */
export async function embedOperations(
  compiler: Compiler,
  { weight, output }: EmbedOp,
  norm: NormSpec | undefined,
): Promise<Operations> {
  const { state, weights } = compiler;
  const gain = norm && weights.vectors.gain(norm.weight);
  return allEnded(
    weights.matrices([weight]).flatMap(({ format, columns, parts }) =>
      parts.map(({ firstRow, rowCount, quants, extras }) =>
        compiler.prepare(embed, {
          label: weight.tensor,
          buffers: {
            rows: state.step.rows,
            quants,
            extras,
            gain: gain ?? quants,
            tokens: state.sampled ?? quants,
            output: compiler.slot(output),
            normed: compiler.slot("normed"),
            squares: compiler.slot("squares"),
          },
          params: { columns, rowCount, rowOffset: firstRow, scale: 1, forNorm: Number(gain !== undefined) },
          overrides: { BY_EIGHT: columnsInSum(compiler.device.adapter.isFallback) < ROW_TILE },
          prelude: format.prelude,
        }),
      ),
    ),
  );
}

/** A part of a matrix in its place among those of its op. */
export interface PlacedPart extends MatrixPart {
  readonly matrix: Matrix;
  /** Its first row, counted over all matrices of the op. */
  readonly row: number;
}

/** One for each dispatch: one in all, but for tensors beyond the binding limit or that cannot be stacked. */
export function partsOf({ weights }: Compiler, { weights: refs }: LinearOp): readonly PlacedPart[] {
  let matrixRow = 0;
  return weights.matrices(refs).flatMap((matrix) => {
    const placed = matrix.parts.map((part) => ({ ...part, matrix, row: matrixRow + part.firstRow }));
    matrixRow += matrix.rows;
    return placed;
  });
}

export async function matMulOperations(compiler: Compiler, op: LinearOp): Promise<Operations> {
  invariant(!op.norm, "mat-mul takes its input as it is");
  const parts = partsOf(compiler, op);
  const products = parts.map((part) => matMulOperation(compiler, op, part));
  const fromTexture = parts.some(({ matrix }) => readsTexture(compiler.variants.matMul(matrix)));
  return allEnded(fromTexture ? [rowTextureOperation(compiler, op), ...products] : products);
}

/** What mat-mul and mat-vec are told alike of a part's product; the input is of their own. */
export function productOf(compiler: Compiler, op: LinearOp, { matrix, row, rowCount, quants, extras }: PlacedPart) {
  const { state, graph, weights } = compiler;
  const bias = weights.vectors.biases(op);
  return {
    label: op.weights[0]!.tensor,
    buffers: {
      quants,
      extras,
      bias: bias ?? quants,
      wanted: state.step.wanted,
      step: state.step.step,
      output: compiler.slot(op.output),
    },
    params: {
      columns: matrix.columns,
      rowCount,
      rowOffset: op.firstRow + row,
      biasOffset: row,
      outStride: graph.widths[op.output],
      hasBias: Number(bias !== undefined),
    },
  };
}

function matMulOperation(compiler: Compiler, op: LinearOp, part: PlacedPart): Promise<Operation<StepSize>> {
  const { matrix } = part;
  const { label, buffers, params } = productOf(compiler, op, part);
  const variant = compiler.variants.matMul(matrix);
  const bound = {
    label,
    prelude: matMulPrelude(matrix.format, variant),
    buffers: { ...buffers, input: compiler.slot(op.input) },
    params: { ...params, accumulate: Number(op.residual), gather: 0 },
    overrides: {},
  };
  if (variant.kernel === "mat-mul") return compiler.prepare(matMul, { ...bound, overrides: variant.overrides });
  if (variant.kernel === "mat-mul-staged")
    return compiler.prepare(matMulStaged, { ...bound, overrides: variant.overrides });
  if (!readsTexture(variant)) return compiler.prepare(matMulBroadcast4, bound);
  return compiler.prepare(matMulBroadcast8, { ...bound, buffers: { ...buffers, input: rowTexture(compiler) } });
}

function rowTextureOperation(compiler: Compiler, op: LinearOp): Promise<Operation<StepSize>> {
  return compiler.prepare(rowsToTexture, {
    label: `rows for ${op.weights[0]!.tensor}`,
    buffers: { input: compiler.slot(op.input), output: rowTexture(compiler) },
    params: { width: compiler.graph.widths[op.input] },
    overrides: {},
  });
}

function rowTexture({ state }: Compiler): TextureBinding {
  invariant(state.rowTexture, "a variant that reads a texture runs where there is one");
  return state.rowTexture;
}

export async function activationOperation(compiler: Compiler, op: GatedActivationOp): Promise<Operation<StepSize>> {
  return compiler.prepare(gatedActivation, {
    label: op.activation,
    buffers: { input: compiler.slot(op.input), output: compiler.slot(op.output) },
    params: { width: op.width },
    overrides: { ACTIVATION: ACTIVATIONS.indexOf(op.activation) },
  });
}
