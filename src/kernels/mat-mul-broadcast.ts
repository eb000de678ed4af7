// mat-mul for adapters that are a CPU and have subgroups of 4 or 8 lanes: x is loaded once and handed from lane to lane.
import type { AdapterFacts } from "../gpu/device.ts";
import { defineKernel } from "../gpu/kernel.ts";
import { ROW_TILE } from "../quant/format.ts";
import { matMul } from "./mat-mul.ts";
import source from "./mat-mul-broadcast.wgsl?raw";
import lanes4 from "./mat-mul-lanes-4.wgsl?raw";
import lanes8 from "./mat-mul-lanes-8.wgsl?raw";

/** Rows of x in a lane's registers. */
const ROWS_PER_LANE = 8;

/** As matMul, whose CPU reference it shares. The prelude is the format's and then that of the lanes: see matMulLanes. */
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

/** Prelude by subgroup size. */
const LANES: ReadonlyMap<number, string> = new Map([
  [4, lanes4],
  [8, lanes8],
]);

/** What matMulBroadcast needs on an adapter beside the format's prelude; undefined where matMul is the kernel to take. */
export function matMulLanes({ isFallback, subgroupSize }: AdapterFacts): string | undefined {
  return isFallback ? LANES.get(subgroupSize) : undefined;
}
