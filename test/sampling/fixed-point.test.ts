// The integer arithmetic of the draw against real numbers, and pinned: these values are what a GPU port has to repeat.
import { expect, test } from "vitest";
import { exponentAbove, exponential, naturalLog, powerOfTwo } from "../../src/sampling/exact-math.ts";
import {
  gumbelBound,
  gumbelNoise,
  MAX_DISTANCE,
  MAX_NOISE,
  mulHigh,
  weightOf,
} from "../../src/sampling/fixed-point.ts";

/** Every power of two and its neighbours, from both ends, and 100,000 spread words. */
const WORDS: readonly number[] = [
  ...Array.from({ length: 32 }, (_, bit) => [2 ** bit - 1, 2 ** bit, 2 ** bit + 1, 2 ** 32 - 2 ** bit])
    .flat()
    .filter((word) => word < 2 ** 32),
  ...Array.from({ length: 100_000 }, (_, i) => Math.imul(i, 2654435761) >>> 0),
];

test("mulHigh is the high half of the 64-bit product", () => {
  for (const [i, a] of WORDS.slice(0, 5000).entries()) {
    const b = WORDS[WORDS.length - 1 - i]!;
    expect(mulHigh(a, b)).toBe(Number((BigInt(a) * BigInt(b)) >> 32n));
  }
});

test("noise is -ln(-ln u) to 2^-20, and never above its bound", () => {
  let worst = 0;
  let overBound = 0;
  for (const bits of WORDS) {
    const tail = (2 * (2 ** 32 - 1 - bits) + 1) / 2 ** 33; // 1 - u
    worst = Math.max(worst, Math.abs(gumbelNoise(bits) / 2 ** 24 + Math.log(-Math.log1p(-tail))));
    if (gumbelNoise(bits) > gumbelBound(bits) || gumbelNoise(bits) > MAX_NOISE) overBound++;
  }
  expect(worst).toBeLessThan(2 ** -20);
  expect(overBound).toBe(0);
});

test("noise never falls as the bits rise, on both sides of the change of method", () => {
  const border = 2 ** 32 - 2 ** 26;
  for (const start of [0, 2 ** 31 - 500, border - 500, 2 ** 32 - 1000]) {
    for (let i = 1; i < 1000; i++) {
      expect(gumbelNoise(start + i)).toBeGreaterThanOrEqual(gumbelNoise(start + i - 1) - 4);
    }
  }
});

test("noise of chosen words is pinned to the bit", () => {
  const words = [0, 1, 0x40000000, 0x80000000, 0xc0000000, 0xfbffffff, 0xfc000000, 0xfffffffe, 0xffffffff];
  expect(words.map(gumbelNoise)).toMatchInlineSnapshot(`
    [
      -52512596,
      -51686807,
      -5480013,
      6149066,
      20902721,
      69642545,
      69642548,
      365327983,
      383759638,
    ]
  `);
});

test("weights are e^-x to 2^-29", () => {
  let worst = 0;
  for (let distance = 0; distance < MAX_DISTANCE; distance += 997) {
    worst = Math.max(worst, Math.abs(weightOf(distance) / 2 ** 30 - Math.exp(-distance / 2 ** 24)));
  }
  expect(worst).toBeLessThan(2 ** -29);
  expect(weightOf(0)).toBe(2 ** 30);
});

test("exponential and logarithm are within 2 ulp of the engine's own", () => {
  for (let i = 0; i < 50_000; i++) {
    const x = -i * 0.014;
    expect(Math.abs(exponential(x) / Math.exp(x) - 1)).toBeLessThanOrEqual(2 ** -51);
    const y = 1 + i * 1.7;
    expect(Math.abs(naturalLog(y) - Math.log(y))).toBeLessThanOrEqual(2 ** -51 * Math.max(1, Math.log(y)));
  }
  expect(exponential(-Infinity)).toBe(0);
  expect(exponential(Number.NaN)).toBeNaN();
});

test("powers of two are exact, and so is the exponent above a number", () => {
  for (const exponent of [-1022, -149, -1, 0, 1, 24, 127, 1023]) {
    expect(powerOfTwo(exponent)).toBe(2 ** exponent);
    expect(exponentAbove(2 ** exponent)).toBe(exponent + 1);
    expect(exponentAbove(2 ** exponent * 1.999)).toBe(exponent + 1);
  }
});
