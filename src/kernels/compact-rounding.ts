// What mat-vec-f16.wgsl and products-int8.wgsl take for x: rows of it, each a whole number of groups, rounded as float32 does it.
import { GROUP_LENGTH } from "../quant/format.ts";
import type { CompactArithmetic } from "../quant/preludes.ts";
import { roundToHalf } from "./kv-layout.ts";

/** A group whose largest number is below this is taken for zero, or nearly so. */
const LEAST = 2 ** -100;
const STEPS = 127;

export function roundX(arithmetic: CompactArithmetic, x: Float32Array): Float64Array {
  const rounded = new Float64Array(x.length);
  for (let first = 0; first < x.length; first += GROUP_LENGTH) {
    const group = x.subarray(first, first + GROUP_LENGTH);
    const largest = group.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    rounded.set(Float64Array.from(group, ROUNDINGS[arithmetic](largest)), first);
  }
  return rounded;
}

/** By the largest number of a group. */
const ROUNDINGS: Readonly<Record<CompactArithmetic, (largest: number) => (value: number) => number>> = {
  f16(largest) {
    const scale = 2 ** Math.floor(Math.log2(Math.max(largest, LEAST)));
    return (value) => scale * roundToHalf(value / scale);
  },
  int8(largest) {
    const inverse = largest < LEAST ? 0 : Math.fround(STEPS / largest);
    const scale = Math.fround(largest * Math.fround(1 / STEPS));
    return (value) => scale * roundHalfToEven(Math.fround(value * inverse));
  },
};

function roundHalfToEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  return below + (rest > 0.5 || (rest === 0.5 && below % 2 !== 0) ? 1 : 0);
}
