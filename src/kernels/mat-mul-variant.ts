// How products with many rows of x are computed: by which kernel, in workgroups of which shape.
import type { AdapterFacts } from "../gpu/device.ts";

/** `name` is kept with what was measured, and a part of the fingerprint. */
export type MatMulVariant =
  | {
      readonly kernel: "mat-mul";
      readonly name: string;
      /** Tiles of the matrix in one workgroup, 4 threads each. */
      readonly tiles: number;
      /** Fours of rows of x in one workgroup. */
      readonly fours: number;
    }
  | {
      readonly kernel: "mat-mul-broadcast";
      readonly name: string;
      /** Of a subgroup. With 8, x is read from a texture. */
      readonly lanes: 4 | 8;
    };

/** Run everywhere: at most 256 threads. Named by the part of the result that a workgroup makes, rows of the matrix first. */
const PORTABLE: readonly MatMulVariant[] = [
  portable(2, 1),
  portable(4, 1),
  portable(16, 1),
  portable(4, 4),
  portable(1, 8),
  portable(2, 8),
  portable(4, 8),
  portable(1, 16),
  portable(2, 16),
  portable(4, 16),
];

/** By the size of an adapter's subgroups. */
const BROADCAST: ReadonlyMap<number, MatMulVariant> = new Map([
  [4, { kernel: "mat-mul-broadcast", name: "broadcast 4", lanes: 4 }],
  [8, { kernel: "mat-mul-broadcast", name: "broadcast 8", lanes: 8 }],
]);

/** Those that an adapter can run: 12 at most. */
export function matMulVariants({ subgroupSize, readableTextures }: AdapterFacts): readonly MatMulVariant[] {
  const broadcast = BROADCAST.get(subgroupSize);
  if (!broadcast || (readsTexture(broadcast) && !readableTextures)) return PORTABLE;
  return [...PORTABLE, broadcast];
}

/** Whether x has to be made a texture for it. */
export function readsTexture(variant: MatMulVariant): boolean {
  return variant.kernel === "mat-mul-broadcast" && variant.lanes === 8;
}

function portable(tiles: number, fours: number): MatMulVariant {
  return { kernel: "mat-mul", name: `${tiles * 32} x ${fours * 4}`, tiles, fours };
}
