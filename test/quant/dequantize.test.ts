// CPU dequantization against the Python package `gguf`, bit for bit (data/make-goldens.py).
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { tensorType } from "../../src/gguf/tensor-types.ts";
import type { QuantFormat } from "../../src/quant/format.ts";
import { formatOf, SUPPORTED_FORMATS } from "../../src/quant/formats.ts";
import { halfToNumber } from "../../src/quant/half.ts";

describe.each(SUPPORTED_FORMATS)("$name", (format) => {
  test("equals Python's gguf on random and extreme blocks, bit for bit", () => {
    const { blocks, values } = golden(format);
    const actual = new Float32Array(values.length);
    format.dequantize(blocks, actual);
    expect(differences(actual, values)).toEqual([]);
  });

  test("reads blocks at any byte offset", () => {
    const { blocks, values } = golden(format);
    for (const shift of [1, 2, 3]) {
      const shifted = new Uint8Array(blocks.length + shift).subarray(shift);
      shifted.set(blocks);
      const actual = new Float32Array(values.length);
      format.dequantize(shifted, actual);
      expect(differences(actual, values)).toEqual([]);
    }
  });

  test("has the geometry that the GGUF reader goes by", () => {
    const { blockLength, blockBytes } = tensorType(format.name);
    expect([format.blockLength, format.blockBytes]).toEqual([blockLength, blockBytes]);
    expect(format.unitLength % format.blockLength).toBe(0);
    expect(format.unitLength % 32).toBe(0);
  });
});

test("formats are found by name, and others are not", () => {
  for (const format of SUPPORTED_FORMATS) expect(formatOf(format.name)).toBe(format);
  expect(formatOf("Q2_K")).toBeUndefined();
  expect(formatOf("IQ4_XS")).toBeUndefined();
});

test("every half is a number by its definition", () => {
  for (let bits = 0; bits < 0x7c00; bits++) {
    const exponent = bits >> 10;
    const expected = exponent === 0 ? (bits & 1023) / 2 ** 24 : (1 + (bits & 1023) / 1024) * 2 ** (exponent - 15);
    if (halfToNumber(bits) !== expected || halfToNumber(bits | 0x8000) !== -expected) {
      expect.fail(`half 0x${bits.toString(16)} gives ${halfToNumber(bits)}, not ${expected}`);
    }
  }
  expect(halfToNumber(0x7c00)).toBe(Number.POSITIVE_INFINITY);
  expect(halfToNumber(0xfc00)).toBe(Number.NEGATIVE_INFINITY);
  expect(halfToNumber(0x7e01)).toBeNaN();
  expect(Object.is(halfToNumber(0x8000), -0)).toBe(true);
});

function golden(format: QuantFormat): { blocks: Uint8Array; values: Float32Array } {
  const path = new URL(`data/${format.name.toLowerCase()}.bin.gz`, import.meta.url);
  const bytes = new Uint8Array(gunzipSync(readFileSync(path)));
  const length = new DataView(bytes.buffer).getUint32(0, true);
  return { blocks: bytes.slice(4, 4 + length), values: new Float32Array(bytes.slice(4 + length).buffer) };
}

/** By bits, so that -0 is not 0; any NaN is as good as another, since JavaScript keeps no payloads. */
function differences(actual: Float32Array, expected: Float32Array): string[] {
  const actualBits = new Uint32Array(actual.buffer);
  const expectedBits = new Uint32Array(expected.buffer);
  const found: string[] = [];
  for (let i = 0; i < expected.length && found.length < 5; i++) {
    if (actualBits[i] === expectedBits[i] || (Number.isNaN(actual[i]) && Number.isNaN(expected[i]))) continue;
    found.push(`[${i}] ${actual[i]} is not ${expected[i]}`);
  }
  return found;
}
