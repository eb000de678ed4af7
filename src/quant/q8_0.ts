// Q8_0: weight = d * q, q a signed byte, 32 weights a block. A block of the file: f16 d, 32 bytes.
import type { QuantFormat } from "./format.ts";
import { halfToNumber } from "./half.ts";
import { preludesOf } from "./preludes.ts";
import source from "./q8_0.wgsl?raw";
import { repackBlocks } from "./repack-blocks.ts";

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
  repackPrelude: repackBlocks({ quantsAt: 2, quantWords: LENGTH / 4, hasMinimum: false }),
  ...preludesOf(source),

  dequantize(bytes, out) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0, first = 0; at < bytes.length; at += BYTES, first += LENGTH) {
      const d = halfToNumber(view.getUint16(at, true));
      for (let i = 0; i < LENGTH; i++) out[first + i] = d * view.getInt8(at + 2 + i);
    }
  },
};
