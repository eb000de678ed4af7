// How the mat-vec kernels are built on an adapter: all variants compute the same sums, on other threads and by other loads.
import type { AdapterFacts } from "../gpu/device.ts";
import broadcast4 from "./mat-vec-broadcast-4.wgsl?raw";
import broadcast8 from "./mat-vec-broadcast-8.wgsl?raw";
import loads from "./mat-vec-loads.wgsl?raw";

export interface MatVecVariant {
  /**
   * In how many slices the columns are cut, each for threads of their own. Part of the order in which products are added: a GPU
   * needs threads where matrices are small, a CPU adapter pays for each barrier.
   */
  readonly slices: number;
  /** WGSL behind the format's prelude: the function that loads x. */
  readonly prelude: string;
  /** WGSL directives that it needs. */
  readonly directives: string;
}

/** Runs everywhere. */
export const PORTABLE: MatVecVariant = { slices: 8, prelude: loads, directives: "" };
/** The same for adapters that are a CPU: a thread a lane, and no slices. */
export const PORTABLE_CPU: MatVecVariant = { ...PORTABLE, slices: 1 };

// Loops have one course for all 8 threads when there is one slice, but only the values of overrides say so.
const SUBGROUPS = "enable subgroups;\ndiagnostic(off, subgroup_uniformity);\n";
/** For adapters that are a CPU, by the size of their subgroups: x is loaded once and handed round. */
export const BROADCAST_CPU: ReadonlyMap<number, MatVecVariant> = new Map([
  [4, { slices: 1, prelude: broadcast4, directives: SUBGROUPS }],
  [8, { slices: 1, prelude: broadcast8, directives: SUBGROUPS }],
]);

/** The variant for an adapter; fixed, since another would give other bits. */
export function matVecVariant({ isFallback, subgroupSize }: AdapterFacts): MatVecVariant {
  if (!isFallback) return PORTABLE;
  return BROADCAST_CPU.get(subgroupSize) ?? PORTABLE_CPU;
}
