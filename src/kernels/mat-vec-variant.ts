// How the mat-vec kernels are built: all variants compute the same sums, on other threads, in another order, by other loads, and
// some of them with numbers of fewer bits.
import { invariant } from "../base/invariant.ts";
import { type QuantFormat, ROW_TILE } from "../quant/format.ts";
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
  /** Threads side by side, each with rows of the matrix of its own. */
  readonly lanes: 4 | 8 | 16 | 32;
  /** Rows of each lane: each load of x serves that many. All lanes together have a tile of 32 rows, a half or a quarter. */
  readonly perLane: 1 | 2 | 4 | 8;
  /**
   * In how many slices the columns are cut, each for threads of their own. Part of the order in which products are added. CPU
   * adapters have one, since each barrier costs there, GPUs several, since they want threads where matrices are small: what the
   * kernels of an adapter leave for each other depends on that (mat-vec-residual.wgsl).
   */
  readonly slices: 1 | 4 | 8 | 16 | 32;
  /** WGSL behind the format's prelude: the function that loads x. */
  readonly prelude: string;
  /** WGSL directives that it needs. */
  readonly directives: string;
  /** What is multiplied; absent: f32. */
  readonly arithmetic?: CompactArithmetic;
}

/** Of an adapter, for one format: tuning has to compile and time them all. */
const MOST_VARIANTS = 12;

/** For a CPU whose subgroups are not known here. */
export const ONE_SLICE: MatVecVariant = portable(8, 4, 1);

/**
 * For GPUs: at most 256 threads, and four slices at least, so that each row of a tile has a thread of its own in which its sums are
 * added up. The last ones give way to variants that an adapter has beside them.
 */
export const PORTABLE: readonly MatVecVariant[] = [
  portable(8, 2, 16),
  portable(4, 2, 32),
  portable(8, 1, 32),
  portable(8, 4, 8),
  portable(8, 4, 16),
  portable(8, 1, 16),
  portable(16, 2, 8),
  portable(8, 2, 8),
  portable(32, 1, 4),
  portable(8, 4, 4),
  portable(32, 1, 8),
  portable(16, 1, 16),
];

// Loops have one course for all threads when there is one slice, but only the values of overrides say so.
const SUBGROUPS = "enable subgroups;\ndiagnostic(off, subgroup_uniformity);\n";
/** By the size of an adapter's subgroups: x is loaded once and handed round, which pays where loads cost more than that. */
const BROADCAST: ReadonlyMap<number, MatVecVariant> = new Map([
  [4, { ...ONE_SLICE, lanes: 4, perLane: 8, name: "broadcast 4", prelude: broadcast4, directives: SUBGROUPS }],
  [8, { ...ONE_SLICE, name: "broadcast 8", prelude: broadcast8, directives: SUBGROUPS }],
]);

/** With numbers of fewer bits. They keep a part of x in workgroup memory. */
const COMPACT: Readonly<Record<CompactArithmetic, string>> = {
  f16: staged + largest + f16,
  int8: staged + largest + int8,
};
/** Products and sums of a group in halves, where an adapter computes with them. */
export const F16: readonly MatVecVariant[] = [fewerBits("f16", 8, 2, 8), fewerBits("f16", 8, 4, 8)];
/** With x rounded to bytes, where an adapter can multiply four at once. */
export const INT8: readonly MatVecVariant[] = [fewerBits("int8", 8, 2, 16), fewerBits("int8", 8, 4, 8)];
/** The same for adapters that are a CPU. */
export const COMPACT_ON_CPU: Readonly<Record<CompactArithmetic, MatVecVariant>> = {
  f16: fewerBits("f16", 8, 4, 1),
  int8: fewerBits("int8", 8, 4, 1),
};

/** Those that an adapter can run for matrices of a format. */
export function matVecVariants(facts: KernelFacts, format: QuantFormat): readonly MatVecVariant[] {
  const compact = facts.precision === "fast" && format.compactPreludes !== undefined;
  const [halves, bytes] = [compact && facts.shaderF16, compact && facts.packedDot];
  if (facts.isFallback) {
    const broadcast = BROADCAST.get(facts.subgroupSize);
    return [
      ONE_SLICE,
      ...(broadcast ? [broadcast] : []),
      ...(halves ? [COMPACT_ON_CPU.f16] : []),
      ...(bytes ? [COMPACT_ON_CPU.int8] : []),
    ];
  }
  const others = [...(halves ? F16 : []), ...(bytes ? INT8 : [])];
  return [...PORTABLE.slice(0, MOST_VARIANTS - others.length), ...others];
}

/** What `prepare` is told of a variant, for any of the mat-vec kernels. */
export function matVecBuild(format: QuantFormat, variant: MatVecVariant, rows: MatVecRows) {
  const { slices, directives } = variant;
  const { lanes, perLane } = rows === 4 && slices > 1 ? WHOLE_TILE : variant;
  return {
    prelude: groupsPrelude(format, variant) + variant.prelude,
    directives,
    overrides: { LANES: lanes, PER_LANE: perLane, SLICES: slices, ROWS: rows },
  };
}

/**
 * What lanes have on a GPU where a workgroup takes four rows of x: each is loaded for as many rows of the matrix as can be, since
 * loads of x are what counts then. The order of sums depends on the slices alone.
 */
const WHOLE_TILE = { lanes: 8, perLane: 4 } as const;

/** WGSL of the format's groups and of their products with x. */
function groupsPrelude({ name, prelude, compactPreludes }: QuantFormat, { arithmetic }: MatVecVariant): string {
  if (arithmetic === undefined) return prelude + tile;
  invariant(compactPreludes, `${name} has floats alone`);
  return compactPreludes[arithmetic] + COMPACT[arithmetic];
}

/** Named by their lanes and slices, and their rows of the matrix where those are no whole tile. */
function portable(
  lanes: MatVecVariant["lanes"],
  perLane: MatVecVariant["perLane"],
  slices: MatVecVariant["slices"],
): MatVecVariant {
  const rows = lanes * perLane;
  const name = `${lanes} x ${slices}${rows < ROW_TILE ? ` for ${rows}` : ""}`;
  return { name, lanes, perLane, slices, prelude: loads, directives: "" };
}

function fewerBits(arithmetic: CompactArithmetic, ...shape: Parameters<typeof portable>): MatVecVariant {
  const variant = portable(...shape);
  const directives = arithmetic === "f16" ? "enable f16;\n" : "";
  return { ...variant, name: `${variant.name} ${arithmetic}`, directives, arithmetic };
}
