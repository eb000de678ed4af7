// Q8_0: weight = d * q, q a signed byte, 32 weights a block. A block of the file: f16 d, 32 bytes.
import { type QuantFormat, VECTOR_STRIDE } from "./format.ts";
import { halfToNumber } from "./half.ts";
import { preludesOf } from "./preludes.ts";
import source from "./q8_0.wgsl?raw";

const LENGTH = 32;
const BYTES = 34;

/** Repacked: two blocks a unit, the bytes as they are in two vectors each; the one extra holds both scales. */
export const Q8_0: QuantFormat = {
  name: "Q8_0",
  blockLength: LENGTH,
  blockBytes: BYTES,
  unitLength: 2 * LENGTH,
  quantVectors: 4,
  extraWords: 1,
  ...preludesOf(source),

  dequantize(bytes, out) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0, first = 0; at < bytes.length; at += BYTES, first += LENGTH) {
      const d = halfToNumber(view.getUint16(at, true));
      for (let i = 0; i < LENGTH; i++) out[first + i] = d * view.getInt8(at + 2 + i);
    }
  },

  repackUnit(bytes, offset, stride, rows, blocks, quants, vector, extras, extra) {
    for (let row = 0; row < rows; row++) {
      const first = offset + row * stride;
      const next = blocks > 1 ? bytes.getUint16(first + BYTES, true) : 0;
      extras[extra + row] = bytes.getUint16(first, true) | (next << 16);
      for (let half = 0; half < 2 * blocks; half++) {
        const from = first + (half >> 1) * BYTES + 2 + 16 * (half & 1);
        const word = vector + 4 * row + half * VECTOR_STRIDE;
        quants[word] = bytes.getUint32(from, true);
        quants[word + 1] = bytes.getUint32(from + 4, true);
        quants[word + 2] = bytes.getUint32(from + 8, true);
        quants[word + 3] = bytes.getUint32(from + 12, true);
      }
    }
  },
};
