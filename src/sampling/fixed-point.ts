// Integer arithmetic for the draw: logarithm, exponential and noise that come out the same on every engine and, ported
// word for word, in WGSL, where floats may be contracted or rounded otherwise. Qn = an integer that counts 2^-n.
import { exponential } from "./exact-math.ts";

/** Scores, distances from the best logit and noise are Q24 in 32-bit integers. */
export const SCORE_ONE = 1 << 24;
/** Tokens further than this from the best are dropped: e^-27 is below what 32 random bits can tell from zero. */
export const MAX_DISTANCE = 27 * SCORE_ONE;
/** Weights are Q30: that of the best token. */
export const WEIGHT_ONE = 1 << 30;
/** Upper bound of gumbelNoise: -ln(-ln(1 - 2^-33)) = 22.874, lower bound -3.131. */
export const MAX_NOISE = 23 * SCORE_ONE;

const LN2_Q32 = 0xb17217f8; // ln 2
const MINUS_LN_LN2_Q24 = 6149066; // -ln(ln 2) = 0.366512920581664
const SERIES_BELOW = 1 << 26; // 2^-6: below it three terms are exact to 2^-27

/** High 32 bits of the 64-bit product of two u32; the result is a u32. By 16-bit halves, as WGSL must do it too. */
export function mulHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = (Math.imul(aHigh, bLow) + (Math.imul(aLow, bLow) >>> 16)) | 0;
  const cross = (Math.imul(aLow, bHigh) + (middle & 0xffff)) | 0;
  return (Math.imul(aHigh, bHigh) + (middle >>> 16) + (cross >>> 16)) >>> 0;
}

/**
 * Standard Gumbel noise, Q24, from 32 random bits: -ln(-ln(u)) with u = (bits + 1/2) / 2^32, within 2^-20 of the real value.
 * Close to u = 1 the inner logarithm would lose its digits, so there -ln(1 - w) is taken as w times a series in w.
 */
export function gumbelNoise(bits: number): number {
  const tail = ~bits >>> 0; // 1 - u = w = (2 tail + 1) / 2^33
  if (tail < SERIES_BELOW) {
    const wQ33 = 2 * tail + 1;
    const shift = Math.clz32(wQ33);
    // -ln w = (33 - log2(2 tail + 1)) ln 2
    const log2Q26 = (31 - shift) * 2 ** 26 + (log2Fraction((wQ33 << shift) >>> 0) >>> 5);
    const minusLnW = mulHigh(33 * 2 ** 26 - log2Q26, LN2_Q32) >>> 2;
    // ln(-ln(1 - w) / w) = w/2 + 5 w^2/24 + w^3/8 + ..., w < 2^-6
    const w = wQ33 * 32; // Q38, below 2^32
    const square = mulHigh(w, w); // Q44
    const cube = mulHigh(square, w); // Q50
    return minusLnW - ((w >>> 15) + (Math.floor((square * 5) / 24) >>> 20) + (cube >>> 29));
  }
  // L = -log2(u) = whole + part / 2^31, with 0 < part <= 2^31
  const shift = Math.clz32(bits);
  const mantissa = shift === 0 ? bits : ((bits << shift) | (1 << (shift - 1))) >>> 0;
  const whole = shift;
  const part = 2 ** 31 - log2Fraction(mantissa);
  // log2(L), Q26 and signed
  let log2Q26: number;
  if (whole === 0) {
    const lead = Math.clz32(part);
    log2Q26 = -lead * 2 ** 26 + (log2Fraction((part << lead) >>> 0) >>> 5);
  } else {
    const q26 = whole * 2 ** 26 + (part >>> 5);
    const lead = Math.clz32(q26);
    log2Q26 = (5 - lead) * 2 ** 26 + (log2Fraction((q26 << lead) >>> 0) >>> 5);
  }
  const lnQ24 = mulHigh(Math.abs(log2Q26), LN2_Q32) >>> 2;
  return MINUS_LN_LN2_Q24 - (log2Q26 < 0 ? -lnQ24 : lnQ24);
}

/** No less than gumbelNoise(bits), from the count of leading ones alone: u < 1 - 2^-(ones + 1), so noise < (ones + 1) ln 2. */
export function gumbelBound(bits: number): number {
  return (Math.clz32(~bits) + 1) * LN2_ABOVE_Q24;
}
const LN2_ABOVE_Q24 = 11629081; // ceil(ln 2 * 2^24)

/** log2 of a mantissa in [1, 2) given as Q31; the result is Q31, within 2^-29. By squaring, one bit a time. */
function log2Fraction(mantissa: number): number {
  let y = mantissa;
  let result = 0;
  for (let bit = 30; bit >= 0; bit--) {
    const high = mulHigh(y, y);
    if (high >= 0x80000000) {
      result += 2 ** bit;
      y = high;
    } else {
      y = ((high << 1) | (Math.imul(y, y) >>> 31)) >>> 0;
    }
  }
  return result;
}

/** e^-x at steps of 1/128 and, between them, of 2^-16; Q31. */
export const COARSE_WEIGHTS = Uint32Array.from({ length: 27 * 128 }, (_, i) =>
  Math.round(exponential(-i / 128) * 2 ** 31),
);
export const FINE_WEIGHTS = Uint32Array.from({ length: 512 }, (_, i) => Math.round(exponential(-i / 65536) * 2 ** 31));

/**
 * e^-(distance / 2^24) as Q30, for 0 <= distance < MAX_DISTANCE. Integers, so that their sums do not depend on the order;
 * rounded to the nearest, so that the sum over a whole vocabulary leans to neither side.
 */
export function weightOf(distance: number): number {
  const weight = mulRounded(COARSE_WEIGHTS[distance >>> 17]!, FINE_WEIGHTS[(distance >>> 8) & 511]!);
  return weight - mulRounded(weight, (distance & 255) << 8);
}

/** The product of two u32 over 2^32, to the nearest integer. */
function mulRounded(a: number, b: number): number {
  return mulHigh(a, b) + (Math.imul(a, b) >>> 31);
}

/**
 * How far a logit lies below the largest, Q24; MAX_DISTANCE for all that is dropped. Each step is one f32 operation
 * (subtract, multiply), a scaling by a power of two and a truncation, so that a GPU computes the same integers.
 *
 * @param largest the largest logit, finite
 * @param factor 1 / temperature
 */
export function distanceOf(logit: number, largest: number, factor: number): number {
  const distance = Math.fround(Math.fround(largest - logit) * factor);
  return distance < MAX_DISTANCE / SCORE_ONE ? Math.trunc(distance * SCORE_ONE) : MAX_DISTANCE;
}
