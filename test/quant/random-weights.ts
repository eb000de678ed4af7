// Seeded weights for tests: random bytes, and rows of any format whose scales are ordinary numbers.
import type { QuantFormat } from "../../src/quant/format.ts";
import { rowBytes } from "../../src/quant/planes.ts";

/** xorshift32: the same bytes everywhere. */
export function randomBytes(length: number, seed: number): Uint8Array {
  const next = randomWords(seed);
  return Uint8Array.from({ length }, () => next() >>> 24);
}

/** Uniform in [-1, 1). */
export function randomFloats(length: number, seed: number): Float32Array {
  const next = randomWords(seed);
  return Float32Array.from({ length }, () => next() / 2 ** 31 - 1);
}

/** Rows as a file holds them, with f16 scales around 2^-7, some of them subnormal, none of them infinite. */
export function randomRows(format: QuantFormat, rows: number, columns: number, seed: number): Uint8Array {
  const bytes = randomBytes(rows * rowBytes(format, columns), seed);
  const view = new DataView(bytes.buffer);
  const next = randomWords(seed + 1);
  for (let at = 0; at < bytes.length; at += format.blockBytes) {
    if (format.name === "F32") view.setFloat32(at, next() / 2 ** 31 - 1, true);
    else if (format.name === "BF16") view.setUint16(at, (next() & 0x81ff) | 0x3e00, true);
    else for (const half of HALVES_AT[format.name] ?? [0]) view.setUint16(at + half, randomScale(next()), true);
  }
  return bytes;
}

/** Where the f16 numbers of a block lie, unless it is at 0 alone. */
const HALVES_AT: Partial<Record<QuantFormat["name"], readonly number[]>> = {
  Q4_1: [0, 2],
  Q5_1: [0, 2],
  Q4_K: [0, 2],
  Q5_K: [0, 2],
  Q6_K: [208],
};

function randomScale(word: number): number {
  const exponent = word % 16 === 0 ? 0 : 6 + ((word >>> 4) % 4); // one in 16 is subnormal
  return ((word >>> 16) & 0x83ff) | (exponent << 10);
}

function randomWords(seed: number): () => number {
  let state = (seed * 2654435761 + 88675123) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state;
  };
}
