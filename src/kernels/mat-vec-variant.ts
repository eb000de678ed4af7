// How the mat-vec kernels are built: all variants compute the same sums, on other threads, in another order and by other loads.
import type { AdapterFacts } from "../gpu/device.ts";
import type { QuantFormat } from "../quant/format.ts";
import type { MatVecRows } from "./mat-vec.ts";
import broadcast4 from "./mat-vec-broadcast-4.wgsl?raw";
import broadcast8 from "./mat-vec-broadcast-8.wgsl?raw";
import loads from "./mat-vec-loads.wgsl?raw";

export interface MatVecVariant {
  /** Kept with what was measured, and a part of the fingerprint. */
  readonly name: string;
  /** Threads that share a tile of 32 rows: many threads with short work, or few that use each load of x for more rows. */
  readonly lanes: 8 | 16 | 32;
  /**
   * In how many slices the columns are cut, each for threads of their own. Part of the order in which products are added: a GPU
   * needs threads where matrices are small, a CPU adapter pays for each barrier.
   */
  readonly slices: 1 | 2 | 4 | 8 | 16;
  /** WGSL behind the format's prelude: the function that loads x. */
  readonly prelude: string;
  /** WGSL directives that it needs. */
  readonly directives: string;
}

/** Run everywhere: at most 256 threads, and 16 KiB of workgroup memory. Named by their lanes and slices. */
export const PORTABLE: readonly MatVecVariant[] = [
  portable(8, 1),
  portable(8, 2),
  portable(8, 4),
  portable(8, 8),
  portable(8, 16),
  portable(16, 4),
  portable(16, 8),
  portable(32, 1),
  portable(32, 2),
  portable(32, 4),
  portable(32, 8),
];

// Loops have one course for all 8 threads when there is one slice, but only the values of overrides say so.
const SUBGROUPS = "enable subgroups;\ndiagnostic(off, subgroup_uniformity);\n";
/** By the size of an adapter's subgroups: x is loaded once and handed round, which pays where loads cost more than that. */
const BROADCAST: ReadonlyMap<number, MatVecVariant> = new Map([
  [4, { name: "broadcast 4", lanes: 8, slices: 1, prelude: broadcast4, directives: SUBGROUPS }],
  [8, { name: "broadcast 8", lanes: 8, slices: 1, prelude: broadcast8, directives: SUBGROUPS }],
]);

/** Those that an adapter can run: 12 at most. */
export function matVecVariants({ subgroupSize }: AdapterFacts): readonly MatVecVariant[] {
  const broadcast = BROADCAST.get(subgroupSize);
  return broadcast ? [...PORTABLE, broadcast] : PORTABLE;
}

/** What `prepare` is told of a variant, for any of the mat-vec kernels. */
export function matVecBuild(format: QuantFormat, variant: MatVecVariant, rows: MatVecRows) {
  const { lanes, slices, prelude, directives } = variant;
  return {
    prelude: format.prelude + prelude,
    directives,
    overrides: { LANES: lanes, SLICES: slices, ROWS: rows },
  };
}

function portable(lanes: MatVecVariant["lanes"], slices: MatVecVariant["slices"]): MatVecVariant {
  return { name: `${lanes} x ${slices}`, lanes, slices, prelude: loads, directives: "" };
}
