// Philox4x32-10: a counter-based generator. The same (seed, counter) gives the same bits in any order, on any machine.
import { mulHigh } from "./fixed-point.ts";

export type Counter = readonly [number, number, number, number];
export type Key = readonly [number, number];

/** What randomness is for: the last word of the counter. A step that needs its own takes a number of its own. */
export const PURPOSE = { draw: 0, xtc: 1 } as const;

const MULTIPLIER_0 = 0xd2511f53;
const MULTIPLIER_1 = 0xcd9e8d57;
const WEYL_0 = 0x9e3779b9; // golden ratio
const WEYL_1 = 0xbb67ae85; // sqrt(3) - 1
const ROUNDS = 10;

/**
 * Four random words for a counter and a key; all are u32.
 * Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011), Random123 `philox4x32`.
 */
export function philox4x32(counter: Counter, key: Key): [number, number, number, number] {
  const out = new Uint32Array(4);
  philoxInto(out, counter[0], counter[1], counter[2], counter[3], key[0], key[1]);
  return [out[0]!, out[1]!, out[2]!, out[3]!];
}

/** As philox4x32, without allocating: writes into `out[0..3]`. */
export function philoxInto(
  out: Uint32Array,
  counter0: number,
  counter1: number,
  counter2: number,
  counter3: number,
  key0: number,
  key1: number,
): void {
  let c0 = counter0 | 0;
  let c1 = counter1 | 0;
  let c2 = counter2 | 0;
  let c3 = counter3 | 0;
  let k0 = key0 | 0;
  let k1 = key1 | 0;
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = mulHigh(MULTIPLIER_0, c0);
    const low0 = Math.imul(MULTIPLIER_0, c0);
    const high1 = mulHigh(MULTIPLIER_1, c2);
    const low1 = Math.imul(MULTIPLIER_1, c2);
    c0 = high1 ^ c1 ^ k0;
    c1 = low1;
    c2 = high0 ^ c3 ^ k1;
    c3 = low0;
    k0 = (k0 + WEYL_0) | 0;
    k1 = (k1 + WEYL_1) | 0;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

/** The two key words of a 64-bit seed, low word first. Negative seeds wrap, as two's complement. */
export function keyOfSeed(seed: bigint): Key {
  const bits = BigInt.asUintN(64, seed);
  return [Number(bits & 0xffffffffn), Number(bits >> 32n)];
}
