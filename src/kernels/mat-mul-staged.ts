// mat-mul for GPUs: weights are decoded once for many rows of x, in workgroup memory.
import { defineKernel } from "../gpu/kernel.ts";
import { ROW_TILE } from "../quant/format.ts";
import { matMul } from "./mat-mul.ts";
import operands from "./mat-mul-operands.wgsl?raw";
import source from "./mat-mul-staged.wgsl?raw";

/** As matMul, whose CPU reference it shares. Overrides and prelude: see MatMulVariant. */
export const matMulStaged = defineKernel({
  ...matMul,
  name: "mat-mul-staged",
  source: source + operands,
  overrides: { TILES: "u32", ROWS: "u32", W_FOURS: "u32", X_FOURS: "u32" },
  grid: ({ rows }: { rows: number }, { params, overrides }) => [
    Math.ceil(params.rowCount / ROW_TILE / overrides.TILES),
    Math.ceil(rows / overrides.ROWS),
  ],
});
