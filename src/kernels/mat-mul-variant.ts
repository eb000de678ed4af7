// How products with many rows of x are computed: by which kernel, in workgroups of which shape, of which numbers.
import { invariant } from "../base/invariant.ts";
import type { AdapterFacts } from "../gpu/device.ts";
import { type QuantFormat, ROW_TILE } from "../quant/format.ts";
import fold from "./fold.wgsl?raw";
import largest from "./largest.wgsl?raw";
import stagedF32 from "./mat-mul-staged-f32.wgsl?raw";
import stagedInt8 from "./mat-mul-staged-int8.wgsl?raw";
import loads from "./mat-vec-loads.wgsl?raw";
import type { KernelFacts } from "./precision.ts";
import productsInt8 from "./products-int8.wgsl?raw";

/** `name` is kept with what was measured, and a part of the fingerprint. */
export type MatMulVariant = PortableVariant | StagedVariant | BroadcastVariant;

export interface PortableVariant {
  readonly kernel: "mat-mul";
  readonly name: string;
  readonly overrides: {
    /** Tiles of the matrix in one workgroup, 4 threads each. */
    readonly TILES: number;
    /** Fours of rows of x in one workgroup. */
    readonly FOURS: number;
  };
  readonly arithmetic?: undefined;
}

export interface StagedVariant {
  readonly kernel: "mat-mul-staged";
  readonly name: string;
  readonly overrides: {
    /** Tiles of the matrix in one workgroup. */
    readonly TILES: number;
    /** Rows of x in one workgroup. */
    readonly ROWS: number;
    /** Fours of rows of the matrix that a thread multiplies: 1 or 2. */
    readonly W_FOURS: number;
    /** Fours of rows of x, likewise. */
    readonly X_FOURS: number;
  };
  /** What is multiplied; absent: f32. */
  readonly arithmetic?: "int8";
}

export interface BroadcastVariant {
  readonly kernel: "mat-mul-broadcast";
  readonly name: string;
  /** Of a subgroup. With 8, x is read from a texture. */
  readonly lanes: 4 | 8;
  readonly arithmetic?: undefined;
}

/** Run everywhere: at most 256 threads. Named by the part of the result that a workgroup makes, rows of the matrix first. */
const PORTABLE: readonly PortableVariant[] = [
  portable(16, 1),
  portable(4, 4),
  portable(2, 8),
  portable(4, 8),
  portable(2, 16),
  portable(4, 16),
];

/** For GPUs, to which barriers are cheap: 128 threads, and at most 16 KiB of workgroup memory. */
export const STAGED: readonly StagedVariant[] = [
  staged({ TILES: 2, ROWS: 64, W_FOURS: 2, X_FOURS: 1 }),
  staged({ TILES: 4, ROWS: 64, W_FOURS: 2, X_FOURS: 2 }),
  staged({ TILES: 2, ROWS: 32, W_FOURS: 1, X_FOURS: 1 }),
];

/** With x rounded to bytes, where a GPU can multiply four at once. */
export const STAGED_INT8: StagedVariant = {
  ...STAGED[0]!,
  name: `${STAGED[0]!.name} int8`,
  arithmetic: "int8",
};

/** For CPU adapters: smaller workgroups too, which lost on a GPU. */
const ON_CPU: readonly PortableVariant[] = [
  ...PORTABLE,
  portable(2, 1),
  portable(4, 1),
  portable(1, 8),
  portable(1, 16),
];

/** By the size of an adapter's subgroups. */
const BROADCAST: ReadonlyMap<number, BroadcastVariant> = new Map([
  [4, { kernel: "mat-mul-broadcast", name: "broadcast 4", lanes: 4 }],
  [8, { kernel: "mat-mul-broadcast", name: "broadcast 8", lanes: 8 }],
]);

/** Those that an adapter can run for matrices of a format: 12 at most. */
export function matMulVariants(facts: KernelFacts, format: QuantFormat): readonly MatMulVariant[] {
  const compact = facts.precision === "fast" && facts.packedDot && format.compactPreludes !== undefined;
  const onGpu = [...PORTABLE, ...STAGED, ...(compact ? [STAGED_INT8] : [])];
  const broadcast = broadcastFor(facts);
  return [...(facts.isFallback ? ON_CPU : onGpu), ...(broadcast ? [broadcast] : [])];
}

/** The one for an adapter's subgroups. */
export function broadcastFor({ subgroupSize, readableTextures }: AdapterFacts): BroadcastVariant | undefined {
  const broadcast = BROADCAST.get(subgroupSize);
  return broadcast && readsTexture(broadcast) && !readableTextures ? undefined : broadcast;
}

/** WGSL of a format, and of its products, for a variant's kernel. */
export function matMulPrelude({ name, prelude, compactPreludes }: QuantFormat, variant: MatMulVariant): string {
  if (variant.kernel !== "mat-mul-staged") return prelude;
  if (variant.arithmetic === undefined) return prelude + fold + stagedF32;
  invariant(compactPreludes, `${name} has floats alone`);
  return compactPreludes[variant.arithmetic] + productsInt8 + largest + loads + stagedInt8;
}

/** Whether x has to be made a texture for it. */
export function readsTexture(variant: MatMulVariant): boolean {
  return variant.kernel === "mat-mul-broadcast" && variant.lanes === 8;
}

function portable(TILES: number, FOURS: number): PortableVariant {
  return { kernel: "mat-mul", name: `${TILES * ROW_TILE} x ${FOURS * 4}`, overrides: { TILES, FOURS } };
}

function staged(overrides: StagedVariant["overrides"]): StagedVariant {
  const name = `staged ${overrides.TILES * ROW_TILE} x ${overrides.ROWS}`;
  return { kernel: "mat-mul-staged", name, overrides };
}
