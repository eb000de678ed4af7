// q8_0 of keys and values: 32 numbers of a head are a scale and signed bytes, as in ggml's format of that name.
import { roundToHalf } from "./kv-layout.ts";

/** Numbers that share a scale; the last block of a head may have fewer. */
export const KV_BLOCK = 32;

/**
 * Scales are kept times this, as halves: those of small numbers would be subnormal, and an adapter may take such for 0.
 * Halves have no other digits for it.
 */
export const KV_SCALE_FACTOR = 128;

export interface KvBlock {
  /** A half over KV_SCALE_FACTOR; NaN where a number is none. */
  readonly scale: number;
  /** -127 to 127. */
  readonly quants: Int8Array;
}

/**
 * The nearest multiples of the largest size over 127, rounded to a half first; halves go upwards. (ggml divides by the scale
 * before it is rounded.) The same bits as kv-write-q8_0.wgsl gives for f32 numbers.
 */
export function quantizeBlock(numbers: Float64Array): KvBlock {
  const quants = new Int8Array(numbers.length);
  const largest = numbers.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const scaled = Math.fround(Math.min(largest, HALF_MAX)) * Math.fround(KV_SCALE_FACTOR / 127);
  const scale = roundToHalf(Number.isFinite(largest) ? Math.fround(scaled) : Number.NaN) / KV_SCALE_FACTOR;
  if (!(scale > 0)) return { scale, quants };
  numbers.forEach((value, index) => {
    quants[index] = Math.max(-127, Math.min(127, Math.floor(value / scale + 0.5)));
  });
  return { scale, quants };
}

const HALF_MAX = 65504;
