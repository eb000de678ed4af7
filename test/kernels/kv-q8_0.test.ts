// q8_0 of keys and values: what is left of numbers, and the bytes that a page takes.
import { expect, test } from "vitest";
import { KV_FORMATS } from "../../src/kernels/kv-format.ts";
import { quantizeBlock } from "../../src/kernels/kv-q8_0.ts";
import { gaussians } from "../gpu/run-kernel.ts";

const quantize = (...numbers: number[]) => {
  const { scale, quants } = quantizeBlock(Float64Array.from(numbers));
  return { scale, quants: [...quants] };
};

test("the largest number is 127 steps, and others the nearest step, halves upwards", () => {
  expect(quantize(127, 1, -1, 0.4, -0.4)).toEqual({ scale: 1, quants: [127, 1, -1, 0, 0] });
  expect(quantize(-127, 0.5, -0.5, 1.5, -1.5)).toEqual({ scale: 1, quants: [-127, 1, 0, 2, -1] });
  expect(quantize(0.25, -0.25)).toMatchObject({ quants: [127, -127] });
});

test("no number is further off than half a step, and the step is a 127th of the largest, to a half's digits", () => {
  for (const size of [1e-4, 1, 1000]) {
    const numbers = Float64Array.from(gaussians(32, 9, size));
    const { scale, quants } = quantizeBlock(numbers);
    const largest = Math.max(...numbers.map(Math.abs));
    expect(Math.abs((scale * 127) / largest - 1)).toBeLessThan(2 ** -11);
    numbers.forEach((value, index) => {
      expect(Math.abs(value - quants[index]! * scale)).toBeLessThanOrEqual(scale * 0.5 + largest * 2 ** -11);
    });
  }
});

test("zeros stay zeros, what a half cannot scale is the largest that it can, and a number that is none makes NaN of all", () => {
  expect(quantize(0, 0)).toEqual({ scale: 0, quants: [0, 0] });
  expect(quantize(1e9, -1e9, 0)).toEqual({ scale: 65504 / 128, quants: [127, -127, 0] });
  for (const broken of [Number.NaN, Infinity, -Infinity])
    expect(quantize(broken, 1)).toEqual({ scale: Number.NaN, quants: [0, 0] });
});

test("a head of any size is cut into blocks of 32, the last as long as what is left", () => {
  const numbers = Float64Array.from({ length: 80 }, (_, d) => (d < 64 ? 100 : 1));
  KV_FORMATS.q8_0.round(numbers);
  expect(numbers[79]).toBeCloseTo(1, 3);
  numbers.fill(1).fill(1e9, 32, 64);
  KV_FORMATS.q8_0.round(numbers);
  for (const d of [0, 31, 64, 79]) expect(numbers[d]).toBeCloseTo(1, 3);
});

test.each([
  [32, 64, 36],
  [64, 128, 68],
  [80, 160, 88],
  [96, 192, 104],
  [128, 256, 136],
  [256, 512, 272],
])("a key of %i numbers takes %i bytes in f16 and %i in q8_0", (headDim, halves, quants) => {
  expect(KV_FORMATS.f16.headPageBytes(headDim)).toBe(64 * halves);
  expect(KV_FORMATS.q8_0.headPageBytes(headDim)).toBe(64 * quants);
});
