// mat-mul for adapters that are a CPU and have subgroups of 4 or 8 lanes: x is loaded once and handed from lane to lane.
import { defineKernel } from "../gpu/kernel.ts";
import { ROW_TILE } from "../quant/format.ts";
import fold from "./fold.wgsl?raw";
import fromLane4 from "./from-lane-4.wgsl?raw";
import fromLane8 from "./from-lane-8.wgsl?raw";
import { matMul } from "./mat-mul.ts";
import source from "./mat-mul-broadcast.wgsl?raw";
import lanes4 from "./mat-mul-lanes-4.wgsl?raw";
import lanes8 from "./mat-mul-lanes-8.wgsl?raw";
import operands from "./mat-mul-operands.wgsl?raw";

/** Rows of x in a lane's registers. */
const ROWS_PER_LANE = 8;

/** As matMul, whose CPU reference it shares, in subgroups of 4 lanes. */
export const matMulBroadcast4 = defineKernel({
  ...matMul,
  name: "mat-mul-broadcast-4",
  source: source + operands + fold + lanes4 + fromLane4,
  overrides: {},
  grid: ({ rows }: { rows: number }, { params }) => [
    Math.ceil(params.rowCount / ROW_TILE),
    Math.ceil(rows / ROWS_PER_LANE),
  ],
});

/** The same in subgroups of 8. input: what rowsToTexture makes of it. */
export const matMulBroadcast8 = defineKernel({
  ...matMulBroadcast4,
  name: "mat-mul-broadcast-8",
  source: source + operands + fold + lanes8 + fromLane8,
  bindings: { ...matMul.bindings, input: "texture_read" },
});
