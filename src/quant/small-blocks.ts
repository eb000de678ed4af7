// The formats with 32 weights of 4 or 5 bits a block: Q4_0, Q4_1, Q5_0, Q5_1. They differ in having a minimum and a fifth bit.
// A block of the file: f16 d, f16 m where there is a minimum, u32 of fifth bits where there are, 16 bytes of nibbles.
import type { TensorFormat } from "../gguf/tensor-types.ts";
import type { QuantFormat } from "./format.ts";
import { halfToNumber } from "./half.ts";
import type { Preludes } from "./preludes.ts";
import { repackBlocks } from "./repack-blocks.ts";

const LENGTH = 32;
const NIBBLE_BYTES = 16;

export interface SmallBlockShape extends Preludes {
  readonly name: TensorFormat;
  /** weight = d * q + m, else d * (q - half of the range). */
  readonly hasMinimum: boolean;
  readonly hasFifthBit: boolean;
}

/** Repacked: the nibbles as they are; extras: the scale word, then one word of fifth bits for each block. */
export function smallBlockFormat({
  name,
  hasMinimum,
  hasFifthBit,
  prelude,
  compactPreludes,
}: SmallBlockShape): QuantFormat {
  const fifthBitsAt = hasMinimum ? 4 : 2;
  const nibblesAt = fifthBitsAt + (hasFifthBit ? 4 : 0);
  const blockBytes = nibblesAt + NIBBLE_BYTES;
  // A word of scales is (d, m) of one block, or the d of two.
  const blocksPerUnit = hasMinimum ? 1 : 2;
  const bias = hasMinimum ? 0 : hasFifthBit ? 16 : 8;

  return {
    name,
    blockLength: LENGTH,
    blockBytes,
    unitLength: LENGTH * blocksPerUnit,
    quantVectors: blocksPerUnit,
    extraWords: 1 + (hasFifthBit ? blocksPerUnit : 0),
    repackPrelude: repackBlocks({ quantsAt: nibblesAt, quantWords: NIBBLE_BYTES / 4, hasMinimum }),
    prelude,
    compactPreludes,

    dequantize(source, out) {
      const view = new DataView(source.buffer, source.byteOffset, source.byteLength);
      for (let at = 0, first = 0; at < source.length; at += blockBytes, first += LENGTH) {
        const d = halfToNumber(view.getUint16(at, true));
        const m = hasMinimum ? halfToNumber(view.getUint16(at + 2, true)) : 0;
        const fifthBits = hasFifthBit ? view.getUint32(at + fifthBitsAt, true) : 0;
        for (let i = 0; i < NIBBLE_BYTES; i++) {
          const pair = source[at + nibblesAt + i]!;
          const low = (pair & 15) | (((fifthBits >>> i) & 1) << 4);
          const high = (pair >> 4) | (((fifthBits >>> (i + 16)) & 1) << 4);
          // d * q is exact, so the sum rounds once, as it does in float32. Adding m = 0 would turn -0 into 0.
          out[first + i] = hasMinimum ? d * low + m : d * (low - bias);
          out[first + 16 + i] = hasMinimum ? d * high + m : d * (high - bias);
        }
      }
    },
  };
}
