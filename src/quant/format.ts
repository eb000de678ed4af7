// What a weight format is to Ingle: the geometry of its blocks, how to read them on the CPU, how to lay them out for kernels.
// The universal layout that every format repacks into is described here; kernels/repack.wgsl makes it.
import type { TensorFormat } from "../gguf/tensor-types.ts";
import type { Preludes } from "./preludes.ts";

/** Matrix rows that lie side by side in the repacked planes: one lane of a kernel reads one row, 16 bytes at a time. */
export const ROW_TILE = 32;
/** Weights that a kernel decodes at once; every unit is cut into groups. */
export const GROUP_LENGTH = 32;

/** Words of `quants` between neighbouring vectors of one row. */
export const VECTOR_STRIDE = ROW_TILE * 4;
/** Words of `extras` between neighbouring words of one row. */
export const EXTRA_STRIDE = ROW_TILE;

/**
 * A row is cut into units, a unit into groups of 32 weights, and each unit becomes some vec4<u32> of `quants` and some u32
 * of `extras` (scales, minima, high bits):
 *
 *     quants: vec4<u32> ((tile * unitsPerRow + unit) * quantVectors + j) * 32 + rowInTile
 *     extras: u32       ((tile * unitsPerRow + unit) * extraWords   + j) * 32 + rowInTile
 */
export interface QuantFormat {
  readonly name: TensorFormat;
  /** Weights in a block of the file, and its bytes there. */
  readonly blockLength: number;
  readonly blockBytes: number;
  /** Weights in a unit: a whole number of blocks. */
  readonly unitLength: number;
  readonly quantVectors: number;
  readonly extraWords: number;
  /**
   * Whole blocks to f32, with the float32 roundings of ggml's own dequantization (the Python package `gguf` is the judge):
   * `out` gets `blockLength` numbers for each `blockBytes` of `source`.
   */
  dequantize(source: Uint8Array, out: Float32Array): void;
  /** WGSL that finds a word of the planes in the file's bytes; kernels/repack.wgsl says which names it defines. */
  readonly repackPrelude: string;
  /** WGSL that decodes a group from the planes; group.wgsl says which names it defines. */
  readonly prelude: string;
  /** The same for arithmetic with fewer bits; absent where weights are floats. */
  readonly compactPreludes?: Preludes["compactPreludes"];
}
