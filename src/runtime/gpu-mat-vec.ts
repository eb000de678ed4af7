// The products of decode rows, and of the head, compiled to the mat-vec family.
import { allEnded } from "../base/all-ended.ts";
import { invariant } from "../base/invariant.ts";
import type { Kernel, Operation, PrepareOptions } from "../gpu/kernel.ts";
import { ACTIVATIONS } from "../kernels/gated-activation.ts";
import { type MatVecRows, matVec } from "../kernels/mat-vec.ts";
import { matVecGated } from "../kernels/mat-vec-gated.ts";
import { matVecResidual } from "../kernels/mat-vec-residual.ts";
import { matVecBuild } from "../kernels/mat-vec-variant.ts";
import type { GatedLinearOp, HeadOp, LinearOp, NormSpec, Slot } from "../model/graph.ts";
import type { Matrix } from "../model/weights.ts";
import type { Compiler, Operations } from "./gpu-compiler.ts";
import { activationOperation, partsOf, productOf } from "./gpu-linear.ts";

export async function matVecOperations(compiler: Compiler, op: LinearOp, gather = false): Promise<Operations> {
  invariant(!op.residual, "what adds to the residual stream has a kernel of its own");
  return allEnded(
    partsOf(compiler, op).map((part) => {
      const { label, buffers, params } = productOf(compiler, op, part);
      return prepareRows(compiler, matVec, part.matrix, (overrides) => ({
        label,
        buffers: { ...buffers, input: compiler.slot(inputOf(op)), squares: compiler.slot("squares") },
        params: { ...params, gather: Number(gather), ...normParams(op.norm) },
        overrides,
      }));
    }),
  );
}

/** Few rows want logits in either stage, so the head is always a mat-vec. */
export function headOperations(compiler: Compiler, { weight, ...op }: HeadOp): Promise<Operations> {
  return matVecOperations(compiler, { ...op, op: "linear", weights: [weight], firstRow: 0, residual: false }, true);
}

/** @param next the norm that reads the residual stream next */
export async function residualOperations(compiler: Compiler, op: LinearOp, next: NormSpec): Promise<Operations> {
  const { vectors } = compiler.weights;
  const bias = vectors.biases(op);
  const gain = vectors.gain(next.weight);
  return allEnded(
    partsOf(compiler, op).map(({ matrix, row, rowCount, quants, extras }) =>
      prepareRows(compiler, matVecResidual, matrix, (overrides) => ({
        label: op.weights[0]!.tensor,
        buffers: {
          input: compiler.slot(op.input),
          quants,
          extras,
          bias: bias ?? quants,
          gain,
          step: compiler.state.step.step,
          residual: compiler.slot(op.output),
          normed: compiler.slot("normed"),
          squares: compiler.slot("squares"),
        },
        params: {
          columns: matrix.columns,
          rowCount,
          rowOffset: row,
          width: compiler.graph.widths[op.output],
          hasBias: Number(bias !== undefined),
        },
        overrides,
      })),
    ),
  );
}

/** One dispatch where gate and up are one stack in one binding; else their products, then the activation. */
export async function gatedLinearOperations(compiler: Compiler, op: GatedLinearOp): Promise<Operations> {
  const refs = [op.gate, op.up];
  const stack = soleMatrix(compiler.weights.matrices(refs));
  const part = stack?.parts.length === 1 ? stack.parts[0] : undefined;
  if (stack && part) {
    const operation = prepareRows(compiler, matVecGated, stack, (overrides) => ({
      label: op.gate.tensor,
      buffers: {
        input: compiler.slot(inputOf(op)),
        quants: part.quants,
        extras: part.extras,
        squares: compiler.slot("squares"),
        step: compiler.state.step.step,
        output: compiler.slot(op.output),
      },
      params: { columns: stack.columns, width: op.gate.rows, ...normParams(op.norm) },
      overrides: { ...overrides, ACTIVATION: ACTIVATIONS.indexOf(op.activation) },
    }));
    return [await operation];
  }
  const width = op.gate.rows;
  return [
    ...(await matVecOperations(compiler, {
      op: "linear",
      weights: refs,
      ...(op.norm && { norm: op.norm }),
      input: op.input,
      output: "gateUp",
      firstRow: 0,
      residual: false,
    })),
    await activationOperation(compiler, {
      op: "gatedActivation",
      activation: op.activation,
      width,
      input: "gateUp",
      output: op.output,
    }),
  ];
}

type RowOverrides = ReturnType<typeof matVecBuild>["overrides"];

/**
 * One operation for a single row; for more, once that happens, one whose workgroups take four rows. It compiles beside the
 * steps, which single rows serve meanwhile, with the same bits: most callers never ask for several rows.
 */
async function prepareRows<
  B extends Kernel["bindings"],
  P extends Kernel["params"],
  O extends Kernel["overrides"],
  Size extends { readonly rows: number },
>(
  compiler: Compiler,
  kernel: Kernel<B, P, O, Size>,
  matrix: Matrix,
  optionsOf: (overrides: RowOverrides) => PrepareOptions<B, P, O>,
): Promise<Operation<Size>> {
  const variant = compiler.variants.matVec(matrix);
  const prepare = (rows: MatVecRows) => {
    const { prelude, directives, overrides } = matVecBuild(matrix.format, variant, rows);
    return compiler.prepare(kernel, { ...optionsOf(overrides), prelude, directives });
  };
  const single = await prepare(1);
  const several = compiler.later(() => prepare(4));
  return {
    label: single.label,
    dispatch: (size) => ((size.rows > 1 ? several() : undefined) ?? single).dispatch(size),
    free: single.free,
  };
}

/** Where the residual stream is read through a norm, its producer has left it prepared. */
function inputOf({ input, norm }: { readonly input: Slot; readonly norm?: NormSpec }): Slot {
  invariant(!norm || input === "residual", "only the residual stream is prepared for a norm");
  return norm ? "normed" : input;
}

function normParams(norm: NormSpec | undefined): { hasNorm: number; epsilon: number } {
  return { hasNorm: Number(norm !== undefined), epsilon: norm?.epsilon ?? 0 };
}

function soleMatrix(matrices: readonly Matrix[]): Matrix | undefined {
  return matrices.length === 1 ? matrices[0] : undefined;
}
