// The reference of repacking loses, adds and repeats no bit, and puts each row where format.ts says: the kernel is compared with it.
import { describe, expect, test } from "vitest";
import type { QuantFormat } from "../../src/quant/format.ts";
import { SUPPORTED_FORMATS } from "../../src/quant/formats.ts";
import { planeSizes, rowBytes } from "../../src/quant/planes.ts";
import { randomBytes } from "./random-weights.ts";
import { type Planes, repackRows } from "./repack-reference.ts";

describe.each(SUPPORTED_FORMATS)("$name", (format) => {
  test("each bit of a unit goes to a place of its own", () => {
    const places = bitPlaces(format);
    expect(places.size).toBe(unitBytes(format) * 8);
    expect(new Set(places.values()).size).toBe(places.size);
  });

  // Rows that leave a tile unfilled, and columns that leave half a unit (96, 576) or a group (36) where the format has them.
  test.each([
    [1, 256],
    [31, 512],
    [32, 256],
    [64, 512],
    [33, 768],
    [70, 96],
    [5, 576],
    [3, 36],
  ])("%i x %i: unpacking gives the rows back, and the padding is zero", (rows, columns) => {
    const whole = Math.ceil(columns / format.blockLength) * format.blockLength;
    const source = randomBytes(rows * rowBytes(format, whole), rows * 1000 + columns);
    const planes = repackRows(format, source, rows, whole);
    const sizes = planeSizes(format, rows, whole);
    expect(planes.quants.byteLength).toBe(sizes.quantsBytes);
    expect(planes.extras.byteLength).toBe(sizes.extrasBytes);
    expect(Buffer.compare(unpackRows(format, planes, rows, whole), source)).toBe(0);
    expect(bitsSet(planes.quants) + bitsSet(planes.extras)).toBe(bitsSet(source));
  });

  test("a source at any byte offset gives the same planes", () => {
    const source = randomBytes(2 * rowBytes(format, 512), 7);
    const expected = repackRows(format, source, 2, 512);
    for (const shift of [1, 2, 3]) {
      const shifted = new Uint8Array(source.length + shift).subarray(shift);
      shifted.set(source);
      expect(repackRows(format, shifted, 2, 512)).toEqual(expected);
    }
  });

  test("rows cut at tile borders give the same planes as the whole", () => {
    const bytes = rowBytes(format, 256);
    const source = randomBytes(100 * bytes, 8);
    const whole = repackRows(format, source, 100, 256);
    const parts = [source.subarray(0, 64 * bytes), source.subarray(64 * bytes)].map((part) =>
      repackRows(format, part, part.length / bytes, 256),
    );
    expect(parts.flatMap((part) => [...part.quants])).toEqual([...whole.quants]);
    expect(parts.flatMap((part) => [...part.extras])).toEqual([...whole.extras]);
  });
});

test("a source of the wrong length is a bug", () => {
  expect(() => repackRows(SUPPORTED_FORMATS[0]!, new Uint8Array(12), 1, 4)).toThrow(/Bug in Ingle/);
});

/**
 * The inverse of repackRows, made without any knowledge of the formats: it goes by where single bits were seen to land
 * (`bitPlaces`), so it fails where repacking is no permutation of each unit's bits.
 */
function unpackRows(format: QuantFormat, planes: Planes, rows: number, columns: number): Uint8Array {
  const places = bitPlaces(format);
  const { unitsPerRow } = planeSizes(format, rows, columns);
  const bytesPerRow = rowBytes(format, columns);
  const out = new Uint8Array(rows * bytesPerRow);
  for (let row = 0; row < rows; row++) {
    for (let byte = 0; byte < bytesPerRow; byte++) {
      const unit = Math.floor(byte / unitBytes(format));
      const slot = Math.floor(row / 32) * unitsPerRow + unit;
      for (let bit = 0; bit < 8; bit++) {
        const place = places.get((byte - unit * unitBytes(format)) * 8 + bit)!;
        out[row * bytesPerRow + byte]! |= planeBit(format, planes, slot, row % 32, place) << bit;
      }
    }
  }
  return out;
}

/** Where each bit of a unit lands in its row: bits of `quants` from 0, bits of `extras` after them. */
function bitPlaces(format: QuantFormat): Map<number, number> {
  const known = placesOf.get(format);
  if (known) return known;
  const places = new Map<number, number>();
  const bits = format.quantVectors * 128 + format.extraWords * 32;
  for (let bit = 0; bit < unitBytes(format) * 8; bit++) {
    const source = new Uint8Array(unitBytes(format));
    source[bit >> 3] = 1 << (bit & 7);
    const planes = repackRows(format, source, 1, format.unitLength);
    const landed: number[] = [];
    for (let place = 0; place < bits; place++) if (planeBit(format, planes, 0, 0, place)) landed.push(place);
    expect(landed).toHaveLength(1);
    places.set(bit, landed[0]!);
  }
  placesOf.set(format, places);
  return places;
}

const placesOf = new Map<QuantFormat, Map<number, number>>();

/** One bit of a unit as the layout in format.ts defines it. */
function planeBit(format: QuantFormat, planes: Planes, slot: number, lane: number, place: number): number {
  const vectors = format.quantVectors * 128;
  const word =
    place < vectors
      ? planes.quants[((slot * format.quantVectors + (place >> 7)) * 32 + lane) * 4 + ((place >> 5) & 3)]!
      : planes.extras[(slot * format.extraWords + ((place - vectors) >> 5)) * 32 + lane]!;
  return (word >>> (place & 31)) & 1;
}

function unitBytes(format: QuantFormat): number {
  return (format.unitLength / format.blockLength) * format.blockBytes;
}

function bitsSet(data: Uint32Array | Uint8Array): number {
  let count = 0;
  for (let word of data) for (; word !== 0; word = (word & (word - 1)) >>> 0) count++;
  return count;
}
