// What mat-vec-int8.wgsl takes for x.
import { GROUP_LENGTH } from "../quant/format.ts";

const STEPS = 127;
/** A group whose largest number is below this is taken for zero. */
const LEAST = 2 ** -100;

/** Rows of x, each a whole number of groups, rounded to 127 steps of the largest number of each group, as float32 does it. */
export function roundToInt8(x: Float32Array): Float64Array {
  const rounded = new Float64Array(x.length);
  for (let first = 0; first < x.length; first += GROUP_LENGTH) {
    const group = x.subarray(first, first + GROUP_LENGTH);
    const largest = group.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const inverse = largest < LEAST ? 0 : Math.fround(STEPS / largest);
    const scale = Math.fround(largest * Math.fround(1 / STEPS));
    group.forEach((value, i) => {
      rounded[first + i] = scale * roundHalfToEven(Math.fround(value * inverse));
    });
  }
  return rounded;
}

function roundHalfToEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  return below + (rest > 0.5 || (rest === 0.5 && below % 2 !== 0) ? 1 : 0);
}
