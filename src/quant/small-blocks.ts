// The formats with 32 weights of 4 or 5 bits a block: Q4_0, Q4_1, Q5_0, Q5_1. They differ in having a minimum and a fifth bit.
// A block of the file: f16 d, f16 m where there is a minimum, u32 of fifth bits where there are, 16 bytes of nibbles.
import type { TensorFormat } from "../gguf/tensor-types.ts";
import { EXTRA_STRIDE, type QuantFormat, VECTOR_STRIDE } from "./format.ts";
import { halfToNumber } from "./half.ts";
import type { Preludes } from "./preludes.ts";

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

    repackUnit(source, offset, stride, rows, blocks, quants, vector, extras, extra) {
      for (let row = 0; row < rows; row++) {
        const first = offset + row * stride;
        const scales = extra + row;
        if (hasMinimum) extras[scales] = source.getUint32(first, true);
        else {
          const next = blocks > 1 ? source.getUint16(first + blockBytes, true) : 0;
          extras[scales] = source.getUint16(first, true) | (next << 16);
        }
        for (let block = 0; block < blocks; block++) {
          const at = first + block * blockBytes;
          if (hasFifthBit) {
            const bits = source.getUint32(at + fifthBitsAt, true);
            extras[scales + (1 + block) * EXTRA_STRIDE] = spreadFifthBits(bits);
          }
          const word = vector + 4 * row + block * VECTOR_STRIDE;
          quants[word] = source.getUint32(at + nibblesAt, true);
          quants[word + 1] = source.getUint32(at + nibblesAt + 4, true);
          quants[word + 2] = source.getUint32(at + nibblesAt + 8, true);
          quants[word + 3] = source.getUint32(at + nibblesAt + 12, true);
        }
      }
    },
  };
}

/** Bit 4 i + b goes to bit 8 b + i, so that `word >> i` has the bits of weights 4 i ... 4 i + 3 at the foot of its bytes. */
function spreadFifthBits(bits: number): number {
  let spread = 0;
  for (let i = 0; i < 8; i++) {
    // The product puts copies of the four bits 7 apart; each byte keeps the one that is its own.
    spread |= ((((bits >>> (4 * i)) & 15) * 0x204081) & 0x01010101) << i;
  }
  return spread >>> 0;
}
