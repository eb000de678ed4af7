// Products that are added to the residual stream, for few rows of x, and what the norm behind them needs.
import { defineKernel } from "../gpu/kernel.ts";
import { ROW_TILE } from "../quant/format.ts";
import { matVecShares } from "./mat-vec.ts";
import source from "./mat-vec-residual.wgsl?raw";
import threads from "./mat-vec-threads.wgsl?raw";

/** Columns of the residual stream in one sum of `squares`: a tile on CPU adapters, whose kernels have one slice; else a quarter. */
export function columnsInSum(onCpu: boolean): number {
  return onCpu ? ROW_TILE : ROW_TILE / 4;
}

/** Elements in a row of `squares` for a residual stream of so many columns: in whole vectors. */
export function squaresWidth(columns: number, inSum: number): number {
  return Math.ceil(columns / (4 * inSum)) * 4;
}

/**
 * residual: [rows, width] += W x + bias, for matrix rows `rowOffset` up to `rowOffset + rowCount`, from a tile's border on.
 * input: [rows, columns], columns a multiple of 4. quants, extras: the part's planes. bias: [width], anything where hasBias is
 * 0. gain: [width], the weight of the norm that follows; normed: [rows, width] = residual * gain. squares: [rows,
 * squaresWidth], sums of squares of `columnsInSum` columns of residual each; what lies behind the last must be 0. step: (rows).
 * ROWS: MatVecRows. LANES, PER_LANE, SLICES and prelude: see MatVecVariant. Size: rows.
 */
export const matVecResidual = defineKernel({
  name: "mat-vec-residual",
  source: source + threads,
  bindings: {
    input: "read",
    quants: "read",
    extras: "read",
    bias: "read",
    gain: "read",
    step: "uniform",
    residual: "read_write",
    normed: "read_write",
    squares: "read_write",
  },
  params: { columns: "u32", rowCount: "u32", rowOffset: "u32", width: "u32", hasBias: "u32" },
  overrides: { LANES: "u32", PER_LANE: "u32", SLICES: "u32", ROWS: "u32" },
  grid: ({ rows }: { rows: number }, { params, overrides }) => [matVecShares(params.rowCount, rows, overrides)],
});

/** What a residual stream, [rows, width], leaves for the norm of this weight, in float64. */
export function normInputReference(
  residual: Float32Array,
  gain: Float32Array,
  inSum: number,
): { normed: Float64Array; squares: Float64Array } {
  const width = gain.length;
  const rows = residual.length / width;
  const stride = squaresWidth(width, inSum);
  const squares = new Float64Array(rows * stride);
  residual.forEach((value, index) => {
    squares[Math.floor(index / width) * stride + Math.floor((index % width) / inSum)]! += value * value;
  });
  return { normed: Float64Array.from(residual, (value, index) => value * gain[index % width]!), squares };
}
