// Products of a matrix with few rows of x, each computed alone: decode and verify rows.
import { defineKernel } from "../gpu/kernel.ts";
import source from "./mat-vec.wgsl?raw";
import threads from "./mat-vec-threads.wgsl?raw";
import normScale from "./norm-scale.wgsl?raw";

/** Of mat-mul. */
export const LINEAR_PARAMS = {
  columns: "u32",
  rowCount: "u32",
  rowOffset: "u32",
  biasOffset: "u32",
  outStride: "u32",
  accumulate: "u32",
  hasBias: "u32",
  gather: "u32",
} as const;

/** Rows of x that one workgroup of a mat-vec kernel may take: one, or four that share each decoded weight. */
export type MatVecRows = 1 | 4;

/**
 * Computes a part of a matrix: `rowCount` of its rows, from a tile's border on.
 *
 * input: [rows, columns], columns a multiple of 4. quants, extras: the part's planes; extras may be anything where the format
 * has none. output: rows of `outStride` elements; the part's first row goes to element `rowOffset`. Its bias starts at
 * element `biasOffset` of `bias` (anything where hasBias is 0). gather: 1 takes input row wanted[i] for output row i (wanted:
 * anything where it is 0). hasNorm: 1 scales by the RMS norm of a residual stream, of which `input` and `squares` are what
 * matVecResidual left (squares: anything where it is 0). step: (rows, wanted rows). ROWS: MatVecRows. LANES, PER_LANE, SLICES and prelude:
 * see MatVecVariant. Size: rows of output.
 */
export const matVec = defineKernel({
  name: "mat-vec",
  source: source + threads + normScale,
  bindings: {
    input: "read",
    quants: "read",
    extras: "read",
    bias: "read",
    wanted: "read",
    squares: "read",
    step: "uniform",
    output: "read_write",
  },
  params: {
    columns: "u32",
    rowCount: "u32",
    rowOffset: "u32",
    biasOffset: "u32",
    outStride: "u32",
    hasBias: "u32",
    gather: "u32",
    hasNorm: "u32",
    epsilon: "f32",
  },
  overrides: { LANES: "u32", PER_LANE: "u32", SLICES: "u32", ROWS: "u32" },
  grid: ({ rows }: { rows: number }, { params, overrides }) => [matVecShares(params.rowCount, rows, overrides)],
});

/** Workgroups for so many rows of a matrix and of x, in any of the mat-vec kernels: `shareOf` in mat-vec-threads.wgsl deals them. */
export function matVecShares(
  matrixRows: number,
  rows: number,
  { LANES, PER_LANE, ROWS }: { readonly LANES: number; readonly PER_LANE: number; readonly ROWS: number },
): number {
  return Math.ceil(matrixRows / (LANES * PER_LANE)) * Math.ceil(rows / ROWS);
}

export interface LinearReferenceOptions {
  /** [rows, columns] */
  readonly input: Float32Array | Float64Array;
  /** [rowCount, columns], dequantized. */
  readonly weights: Float32Array;
  readonly columns: number;
  /** [rowCount] */
  readonly bias?: Float32Array;
  /** What the products are added to: [rows, rowCount]. */
  readonly residual?: Float32Array;
  /** Input row of each output row; by default the same. */
  readonly wanted?: Uint32Array;
}

/** W x + bias + residual of each row in float64, before rounding: [rows, rowCount]. Of mat-vec and mat-mul alike. */
export function linearReference(options: LinearReferenceOptions): Float64Array {
  const { input, weights, columns, bias, residual, wanted } = options;
  const rows = wanted?.length ?? input.length / columns;
  const rowCount = weights.length / columns;
  const output = new Float64Array(rows * rowCount);
  for (let row = 0; row < rows; row++) {
    const x = input.subarray((wanted?.[row] ?? row) * columns);
    for (let n = 0; n < rowCount; n++) {
      let sum = (bias?.[n] ?? 0) + (residual?.[row * rowCount + n] ?? 0);
      for (let k = 0; k < columns; k++) sum += weights[n * columns + k]! * x[k]!;
      output[row * rowCount + n] = sum;
    }
  }
  return output;
}
