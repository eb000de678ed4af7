// Where keys and values lie: pages of 64 positions, one buffer a layer. See kv-format.ts for the bytes of each form.

/** Positions in one page. */
export const PAGE_LENGTH = 64;

export interface KvShape {
  readonly kvHeadCount: number;
  readonly headDim: number;
}

/** Index of a number of a layer, in the order of all forms: [page, key | value, kvHead, position in page, headDim]. */
export function kvIndex(
  { kvHeadCount, headDim }: KvShape,
  pages: Uint32Array,
  pageTable: number,
  isValue: 0 | 1,
  head: number,
  position: number,
  dimension: number,
): number {
  const page = pages[pageTable + Math.floor(position / PAGE_LENGTH)]!;
  return (((page * 2 + isValue) * kvHeadCount + head) * PAGE_LENGTH + (position % PAGE_LENGTH)) * headDim + dimension;
}

const HALF_MAX = 65504;

/** The nearest half-precision number, ties to even; beyond the largest, the largest; NaN for what is no finite number. */
export function roundToHalf(value: number): number {
  if (!Number.isFinite(value)) return Number.NaN;
  const size = Math.abs(value);
  if (size >= HALF_MAX) return Math.sign(value) * HALF_MAX;
  // Below 2^-14 halves are 2^-24 apart; above, 2^-10 of the power of two below the value.
  const exponent = Math.max(-14, Math.floor(Math.log2(size)));
  const step = 2 ** (exponent - 10);
  const floor = Math.floor(value / step);
  const rest = value / step - floor;
  return (rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor) * step;
}
