// Q6_K: weight = d * scale * (q - 32), q of 6 bits, a signed byte of scale for each 16 weights, 256 weights a block.
// A block of the file: 128 bytes of low nibbles, 64 of high bit pairs, 16 scales, f16 d.
import type { QuantFormat } from "./format.ts";
import { halfToNumber } from "./half.ts";
import { preludesOf } from "./preludes.ts";
import source from "./q6_k.wgsl?raw";
import repackPrelude from "./repack-q6_k.wgsl?raw";

const LENGTH = 256;
const BYTES = 210;
const HIGH_AT = 128;
const SCALES_AT = 192;
const D_AT = 208;

/**
 * Repacked: one vector of nibbles for each group; extras: d, four words of scale bytes, then two words of high bits for each
 * group (in word h, bits 8 b + 2 c and the next belong to weight 16 h + 4 c + b).
 */
export const Q6_K: QuantFormat = {
  name: "Q6_K",
  blockLength: LENGTH,
  blockBytes: BYTES,
  unitLength: LENGTH,
  quantVectors: 8,
  extraWords: 21,
  repackPrelude,
  ...preludesOf(source),

  dequantize(bytes, out) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0, first = 0; at < bytes.length; at += BYTES, first += LENGTH) {
      const d = halfToNumber(view.getUint16(at + D_AT, true));
      for (let index = 0; index < 8; index++) {
        const low = at + nibblesOf(index);
        const high = at + HIGH_AT + 32 * (index >> 2);
        for (let i = 0; i < 32; i++) {
          const q = ((bytes[low + i]! >> shiftOf(index)) & 15) | (((bytes[high + i]! >> (2 * (index & 3))) & 3) << 4);
          // d * scale is exact in float32, so that the product with q is the only rounding there too.
          out[first + 32 * index + i] = d * view.getInt8(at + SCALES_AT + 2 * index + (i >> 4)) * (q - 32);
        }
      }
    }
  },
};

/** Groups 0 and 2 of each half of the block share 32 bytes, as do 1 and 3. */
function nibblesOf(index: number): number {
  return 64 * (index >> 2) + 32 * (index & 1);
}

function shiftOf(index: number): number {
  return 2 * (index & 2);
}
