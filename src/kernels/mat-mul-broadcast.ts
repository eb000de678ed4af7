// mat-mul for adapters that are a CPU and have subgroups of 4 or 8 lanes: x is loaded once and handed from lane to lane.
import { defineKernel } from "../gpu/kernel.ts";
import { ROW_TILE } from "../quant/format.ts";
import { matMul } from "./mat-mul.ts";
import source from "./mat-mul-broadcast.wgsl?raw";

/** Rows of x in a lane's registers. */
const ROWS_PER_LANE = 8;

/** As matMul, whose CPU reference it shares. The prelude is the format's and then the variant's: see MatMulVariant. */
export const matMulBroadcast = defineKernel({
  ...matMul,
  name: "mat-mul-broadcast",
  source,
  overrides: {},
  grid: ({ rows }: { rows: number }, { params }) => [
    Math.ceil(params.rowCount / ROW_TILE),
    Math.ceil(rows / ROWS_PER_LANE),
  ],
});
