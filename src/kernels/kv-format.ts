// The forms in which keys and values are kept: f16, and q8_0 in about half of the memory.
import signedBytes from "../quant/signed-bytes.wgsl?raw";
import { PAGE_LENGTH, roundToHalf } from "./kv-layout.ts";
import { KV_BLOCK, quantizeBlock } from "./kv-q8_0.ts";
import readF16By4 from "./kv-read-f16-4.wgsl?raw";
import readF16By8 from "./kv-read-f16-8.wgsl?raw";
import readQ8By4 from "./kv-read-q8_0-4.wgsl?raw";
import readQ8By8 from "./kv-read-q8_0-8.wgsl?raw";
import writeF16 from "./kv-write-f16.wgsl?raw";
import writeQ8 from "./kv-write-q8_0.wgsl?raw";

/** By llama.cpp's names. */
export const KV_CACHE_TYPES = ["f16", "q8_0"] as const;
export type KvCacheType = (typeof KV_CACHE_TYPES)[number];
export const DEFAULT_KV_CACHE: KvCacheType = "f16";

export function isKvCacheType(value: unknown): value is KvCacheType {
  return KV_CACHE_TYPES.some((type) => type === value);
}

export interface KvFormat {
  readonly name: KvCacheType;
  /** Bytes of the keys, or values, of one head in a page: a multiple of 256. */
  headPageBytes(headDim: number): number;
  /** What is left of one head's key or value, in place. */
  round(vector: Float64Array): void;
  /** WGSL for kernels that read 4 or 8 dimensions at a time, and for the one that writes. */
  readonly readBy4: string;
  readonly readBy8: string;
  readonly write: string;
}

export const KV_FORMATS: Readonly<Record<KvCacheType, KvFormat>> = {
  /** [page, key | value, kvHead, position, headDim] halves, two in a word. */
  f16: {
    name: "f16",
    headPageBytes: (headDim) => PAGE_LENGTH * headDim * 2,
    round(vector) {
      vector.forEach((value, d) => {
        vector[d] = roundToHalf(value);
      });
    },
    readBy4: readF16By4,
    readBy8: readF16By8,
    write: writeF16,
  },
  /**
   * For each [page, key | value, kvHead] two planes, so that loads are aligned and a page is one range of bytes:
   *
   *     quants: [position, headDim] signed bytes, four in a word
   *     scales: [position, blocks] halves, two in a word; with an odd number of blocks the last is left over
   *
   * A block is 32 dimensions, and the last one what there is (of 80: 32, 32 and 16). No position shares a word with another:
   * they are written by different workgroups.
   */
  q8_0: {
    name: "q8_0",
    headPageBytes: (headDim) => PAGE_LENGTH * (headDim + 4 * Math.ceil(headDim / KV_BLOCK / 2)),
    round(vector) {
      for (let first = 0; first < vector.length; first += KV_BLOCK) {
        const block = vector.subarray(first, first + KV_BLOCK);
        const { scale, quants } = quantizeBlock(block);
        quants.forEach((quant, d) => {
          block[d] = quant * scale;
        });
      }
    },
    readBy4: readQ8By4 + signedBytes,
    readBy8: readQ8By8 + signedBytes,
    write: writeQ8,
  },
};
