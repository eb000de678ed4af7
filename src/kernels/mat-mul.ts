// Products of a matrix with many rows of x, computed in register tiles: prefill rows, even a single one.
import { defineKernel } from "../gpu/kernel.ts";
import { ROW_TILE } from "../quant/format.ts";
import source from "./mat-mul.wgsl?raw";
import operands from "./mat-mul-operands.wgsl?raw";
import { LINEAR_PARAMS } from "./mat-vec.ts";

/** Rows of x in a thread's registers. */
const ROWS_PER_THREAD = 4;

/**
 * As matVec, with the number of rows in `step`: its wantCount where `gather` is 1, else its rowCount. `rows` of the size may be
 * more than that, never less. TILES and FOURS: see MatMulVariant. CPU reference: `linearReference` of mat-vec.ts.
 */
export const matMul = defineKernel({
  name: "mat-mul",
  source: source + operands,
  bindings: {
    input: "read",
    quants: "read",
    extras: "read",
    bias: "read",
    wanted: "read",
    step: "uniform",
    output: "read_write",
  },
  params: LINEAR_PARAMS,
  overrides: { TILES: "u32", FOURS: "u32" },
  grid: ({ rows }: { rows: number }, { params, overrides }) => [
    Math.ceil(params.rowCount / ROW_TILE / overrides.TILES),
    Math.ceil(rows / ROWS_PER_THREAD / overrides.FOURS),
  ],
});
