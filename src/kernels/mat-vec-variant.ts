// How the mat-vec kernels are built: all variants compute the same sums, on other threads, in another order, by other loads, and
// some of them with numbers of fewer bits.
import { invariant } from "../base/invariant.ts";
import type { QuantFormat } from "../quant/format.ts";
import type { CompactArithmetic } from "../quant/preludes.ts";
import largest from "./largest.wgsl?raw";
import type { MatVecRows } from "./mat-vec.ts";
import broadcast4 from "./mat-vec-broadcast-4.wgsl?raw";
import broadcast8 from "./mat-vec-broadcast-8.wgsl?raw";
import f16 from "./mat-vec-f16.wgsl?raw";
import loads from "./mat-vec-loads.wgsl?raw";
import staged from "./mat-vec-staged.wgsl?raw";
import tile from "./mat-vec-tile.wgsl?raw";
import type { KernelFacts } from "./precision.ts";
import int8 from "./products-int8.wgsl?raw";

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
  /** What is multiplied; absent: f32. */
  readonly arithmetic?: CompactArithmetic;
}

/** Of an adapter, for one format: tuning has to compile and time them all. */
const MOST_VARIANTS = 12;

/**
 * Run everywhere: at most 256 threads, and 16 KiB of workgroup memory. Named by their lanes and slices. The last ones, with the
 * fewest threads or the most, give way to variants that an adapter has beside them.
 */
export const PORTABLE: readonly MatVecVariant[] = [
  portable(8, 1),
  portable(8, 4),
  portable(8, 8),
  portable(8, 16),
  portable(16, 4),
  portable(32, 2),
  portable(32, 4),
  portable(16, 8),
  portable(32, 1),
  portable(8, 2),
  portable(32, 8),
];

// Loops have one course for all 8 threads when there is one slice, but only the values of overrides say so.
const SUBGROUPS = "enable subgroups;\ndiagnostic(off, subgroup_uniformity);\n";
/** By the size of an adapter's subgroups: x is loaded once and handed round, which pays where loads cost more than that. */
const BROADCAST: ReadonlyMap<number, MatVecVariant> = new Map([
  [4, { name: "broadcast 4", lanes: 8, slices: 1, prelude: broadcast4, directives: SUBGROUPS }],
  [8, { name: "broadcast 8", lanes: 8, slices: 1, prelude: broadcast8, directives: SUBGROUPS }],
]);

/** With numbers of fewer bits. They keep a part of x in workgroup memory. */
const COMPACT: Readonly<Record<CompactArithmetic, string>> = {
  f16: staged + largest + f16,
  int8: staged + largest + int8,
};
/** Products and sums of a group in halves, where an adapter computes with them. */
export const F16: readonly MatVecVariant[] = [fewerBits("f16", 8, 8), fewerBits("f16", 32, 4)];
/** With x rounded to bytes, where an adapter can multiply four at once. */
export const INT8: readonly MatVecVariant[] = [fewerBits("int8", 8, 8), fewerBits("int8", 32, 4)];

/** Those that an adapter can run for matrices of a format. */
export function matVecVariants(facts: KernelFacts, format: QuantFormat): readonly MatVecVariant[] {
  const broadcast = BROADCAST.get(facts.subgroupSize);
  const compact = facts.precision === "fast" && format.compactPreludes !== undefined;
  const others = [
    ...(broadcast ? [broadcast] : []),
    ...(compact && facts.shaderF16 ? F16 : []),
    ...(compact && facts.packedDot ? INT8 : []),
  ];
  return [...PORTABLE.slice(0, MOST_VARIANTS - others.length), ...others];
}

/** What `prepare` is told of a variant, for any of the mat-vec kernels. */
export function matVecBuild(format: QuantFormat, variant: MatVecVariant, rows: MatVecRows) {
  const { lanes, slices, directives } = variant;
  return {
    prelude: groupsPrelude(format, variant) + variant.prelude,
    directives,
    overrides: { LANES: lanes, SLICES: slices, ROWS: rows },
  };
}

/** WGSL of the format's groups and of their products with x. */
function groupsPrelude({ name, prelude, compactPreludes }: QuantFormat, { arithmetic }: MatVecVariant): string {
  if (arithmetic === undefined) return prelude + tile;
  invariant(compactPreludes, `${name} has floats alone`);
  return compactPreludes[arithmetic] + COMPACT[arithmetic];
}

function portable(lanes: MatVecVariant["lanes"], slices: MatVecVariant["slices"]): MatVecVariant {
  return { name: `${lanes} x ${slices}`, lanes, slices, prelude: loads, directives: "" };
}

function fewerBits(
  arithmetic: CompactArithmetic,
  lanes: MatVecVariant["lanes"],
  slices: MatVecVariant["slices"],
): MatVecVariant {
  const directives = arithmetic === "f16" ? "enable f16;\n" : "";
  return { ...portable(lanes, slices), name: `${lanes} x ${slices} ${arithmetic}`, directives, arithmetic };
}
