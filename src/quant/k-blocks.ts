// The superblocks of 256 weights with 4 or 5 bits and a minimum for each group of 32: Q4_K and Q5_K.
// A block of the file: f16 d, f16 dmin, 12 bytes of 6-bit scales and minima, 32 bytes of fifth bits in Q5_K, 128 of nibbles.
import type { TensorFormat } from "../gguf/tensor-types.ts";
import type { QuantFormat } from "./format.ts";
import { halfToNumber } from "./half.ts";
import type { Preludes } from "./preludes.ts";
import repackK from "./repack-k.wgsl?raw";

const LENGTH = 256;
const GROUPS = 8;
const SCALES_AT = 4;
const AFTER_SCALES = SCALES_AT + 12;

export interface KBlockShape extends Preludes {
  readonly name: TensorFormat;
  readonly hasFifthBit: boolean;
}

/**
 * Repacked: one vector of nibbles for each group; extras: (d, dmin), two words of scale bytes, two of minimum bytes, then
 * one word of fifth bits for each group (bit 8 b + i belongs to weight 4 i + b).
 */
export function kBlockFormat({ name, hasFifthBit, prelude, compactPreludes }: KBlockShape): QuantFormat {
  const nibblesAt = AFTER_SCALES + (hasFifthBit ? 32 : 0);
  const blockBytes = nibblesAt + 128;

  return {
    name,
    blockLength: LENGTH,
    blockBytes,
    unitLength: LENGTH,
    quantVectors: GROUPS,
    extraWords: 5 + (hasFifthBit ? GROUPS : 0),
    repackPrelude: `const NIBBLES_AT = ${nibblesAt}u;\n${repackK}`,
    prelude,
    compactPreludes,

    dequantize(source, out) {
      const view = new DataView(source.buffer, source.byteOffset, source.byteLength);
      for (let at = 0, first = 0; at < source.length; at += blockBytes, first += LENGTH) {
        const d = halfToNumber(view.getUint16(at, true));
        const dmin = halfToNumber(view.getUint16(at + 2, true));
        for (let group = 0; group < GROUPS; group++) {
          const half = group >> 2;
          const shift = 8 * (group & 3);
          const scale = d * ((scaleBytes(view, at, half) >>> shift) & 63);
          const minimum = dmin * ((minimumBytes(view, at, half) >>> shift) & 63);
          const nibbles = at + nibblesAt + 32 * (group >> 1);
          for (let i = 0; i < 32; i++) {
            const fifthBit = hasFifthBit ? (source[at + AFTER_SCALES + i]! >> group) & 1 : 0;
            const q = ((source[nibbles + i]! >> (4 * (group & 1))) & 15) | (fifthBit << 4);
            // Both products are exact in float32, so that the difference is the only rounding there too.
            out[first + 32 * group + i] = scale * q - minimum;
          }
        }
      }
    },
  };
}

/** The scales of groups 4 half ... 4 half + 3, a byte each. Layout: ggml's get_scale_min_k4. */
function scaleBytes(source: DataView, block: number, half: number): number {
  const scales = source.getUint32(block + SCALES_AT, true);
  if (half === 0) return scales & 0x3f3f3f3f;
  return (source.getUint32(block + SCALES_AT + 8, true) & 0x0f0f0f0f) | ((scales >>> 2) & 0x30303030);
}

/** The minima of the same groups. */
function minimumBytes(source: DataView, block: number, half: number): number {
  const minima = source.getUint32(block + SCALES_AT + 4, true);
  if (half === 0) return minima & 0x3f3f3f3f;
  return ((source.getUint32(block + SCALES_AT + 8, true) >>> 4) & 0x0f0f0f0f) | ((minima >>> 2) & 0x30303030);
}
