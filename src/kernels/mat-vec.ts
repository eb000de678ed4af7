// Products of a matrix with few rows of x, each computed alone: decode and verify rows.
import type { AdapterFacts } from "../gpu/device.ts";
import { defineKernel } from "../gpu/kernel.ts";
import { ROW_TILE } from "../quant/format.ts";
import source from "./mat-vec.wgsl?raw";

/** Of mat-vec and mat-mul alike. */
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

/**
 * Computes a part of a matrix: `rowCount` of its rows, from a tile's border on.
 *
 * input: [rows, columns], columns a multiple of 4. quants, extras: the part's planes; extras may be anything where the format
 * has none. output: rows of `outStride` elements; the part's first row goes to element `rowOffset`. Its bias starts at
 * element `biasOffset` of `bias` (anything where hasBias is 0). accumulate: 1 adds to `output`. gather: 1 takes input row
 * wanted[i] for output row i (wanted: anything where it is 0). SLICES: see `matVecSlices`. prelude: the format's. Size: rows of
 * output.
 */
export const matVec = defineKernel({
  name: "mat-vec",
  source,
  bindings: { input: "read", quants: "read", extras: "read", bias: "read", wanted: "read", output: "read_write" },
  params: LINEAR_PARAMS,
  overrides: { SLICES: "u32" },
  grid: ({ rows }: { rows: number }, { params }) => [Math.ceil(params.rowCount / ROW_TILE), rows],
});

/**
 * In how many slices the columns are cut, each for threads of their own. Fixed for an adapter, since it is part of the order in
 * which products are added: a GPU needs threads where matrices are small, a CPU adapter pays for each barrier.
 */
export function matVecSlices(adapter: AdapterFacts): number {
  return adapter.isFallback ? 1 : 8;
}

export interface LinearReferenceOptions {
  /** [rows, columns] */
  readonly input: Float32Array;
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
