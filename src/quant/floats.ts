// The formats without quantization: F32, F16, BF16. Their blocks are single numbers, kept as they are.
import type { TensorFormat } from "../gguf/tensor-types.ts";
import { GROUP_LENGTH, type QuantFormat } from "./format.ts";
import repackPrelude from "./repack-floats.wgsl?raw";

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
    repackPrelude,
    prelude,

    dequantize(source, out) {
      const view = new DataView(source.buffer, source.byteOffset, source.byteLength);
      for (let at = 0, index = 0; at < source.length; at += byteLength, index++) out[index] = read(view, at);
    },
  };
}
