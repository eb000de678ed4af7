// A layer's keys and values as the GPU holds them, from numbers in the order of kvIndex.
import type { KvCacheType } from "../../src/kernels/kv-format.ts";
import { KV_FORMATS } from "../../src/kernels/kv-format.ts";
import { PAGE_LENGTH } from "../../src/kernels/kv-layout.ts";
import { KV_BLOCK, KV_SCALE_FACTOR, quantizeBlock } from "../../src/kernels/kv-q8_0.ts";
import { packHalves } from "./run-kernel.ts";

export function packKv(type: KvCacheType, numbers: Float32Array, headDim: number): Uint32Array {
  if (type === "f16") return packHalves(numbers);
  const heads = numbers.length / (PAGE_LENGTH * headDim);
  const bytes = KV_FORMATS.q8_0.headPageBytes(headDim);
  const packed = new Uint32Array((heads * bytes) / 4);
  const scalesPerPosition = 2 * Math.ceil(headDim / KV_BLOCK / 2);
  for (let head = 0; head < heads; head++) {
    const quantsOfHead = new Int8Array(packed.buffer, head * bytes, PAGE_LENGTH * headDim);
    const scales = new Float32Array(PAGE_LENGTH * scalesPerPosition);
    for (let position = 0; position < PAGE_LENGTH; position++) {
      for (let first = 0; first < headDim; first += KV_BLOCK) {
        const start = (head * PAGE_LENGTH + position) * headDim;
        const block = numbers.subarray(start + first, start + Math.min(first + KV_BLOCK, headDim));
        const { scale, quants } = quantizeBlock(Float64Array.from(block));
        quantsOfHead.set(quants, position * headDim + first);
        scales[position * scalesPerPosition + first / KV_BLOCK] = scale * KV_SCALE_FACTOR;
      }
    }
    packed.set(packHalves(scales), (head * bytes + PAGE_LENGTH * headDim) / 4);
  }
  return packed;
}

/** The numbers that are left of keys and values, in place. */
export function roundKv(type: KvCacheType, numbers: Float32Array, headDim: number): void {
  for (let start = 0; start < numbers.length; start += headDim) {
    const vector = Float64Array.from(numbers.subarray(start, start + headDim));
    KV_FORMATS[type].round(vector);
    numbers.set(vector, start);
  }
}
