// The formats without quantization: F32, F16, BF16. Their blocks are single numbers, kept as they are.
import type { TensorFormat } from "../gguf/tensor-types.ts";
import { GROUP_LENGTH, type QuantFormat, VECTOR_STRIDE } from "./format.ts";

export interface FloatShape {
  readonly name: TensorFormat;
  readonly byteLength: 2 | 4;
  readonly read: (source: DataView, at: number) => number;
  readonly prelude: string;
}

/** Repacked: a unit is one group, its numbers in order; no extras. */
export function floatFormat({ name, byteLength, read, prelude }: FloatShape): QuantFormat {
  return {
    name,
    blockLength: 1,
    blockBytes: byteLength,
    unitLength: GROUP_LENGTH,
    quantVectors: (GROUP_LENGTH * byteLength) / 16,
    extraWords: 0,
    prelude,

    dequantize(source, out) {
      const view = new DataView(source.buffer, source.byteOffset, source.byteLength);
      for (let at = 0, index = 0; at < source.length; at += byteLength, index++) out[index] = read(view, at);
    },

    repackUnit(source, offset, stride, rows, blocks, quants, vector) {
      const bytes = blocks * byteLength;
      const words = bytes >> 2;
      for (let row = 0; row < rows; row++) {
        const from = offset + row * stride;
        const to = vector + 4 * row;
        for (let word = 0; word < words; word++) {
          quants[to + (word >> 2) * VECTOR_STRIDE + (word & 3)] = source.getUint32(from + 4 * word, true);
        }
        if (bytes & 2) {
          quants[to + (words >> 2) * VECTOR_STRIDE + (words & 3)] = source.getUint16(from + 4 * words, true);
        }
      }
    },
  };
}
