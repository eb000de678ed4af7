// What the kernel `repack` has to make, format by format: from rows as a GGUF file holds them to the planes that kernels read.
// A permutation of bits and some zeros; src/quant/format.ts describes the layout.
import { invariant } from "../../src/base/invariant.ts";
import { EXTRA_STRIDE, type QuantFormat, ROW_TILE, VECTOR_STRIDE } from "../../src/quant/format.ts";
import { planeSizes, rowBytes } from "../../src/quant/planes.ts";

export interface Planes {
  readonly quants: Uint32Array<ArrayBuffer>;
  readonly extras: Uint32Array<ArrayBuffer>;
}

/**
 * Writes one unit of one row, of which `blocks` blocks exist, from byte `at` of `source` on: to word `vector` of `quants` and word
 * `extra` of `extras`. What does not exist is left alone.
 */
type RepackUnit = (
  source: DataView,
  at: number,
  blocks: number,
  quants: Uint32Array,
  vector: number,
  extras: Uint32Array,
  extra: number,
) => void;

const FORMATS: Readonly<Record<string, RepackUnit>> = {
  F32: floats(4),
  F16: floats(2),
  BF16: floats(2),
  Q4_0: smallBlocks({ hasMinimum: false, hasFifthBit: false }),
  Q4_1: smallBlocks({ hasMinimum: true, hasFifthBit: false }),
  Q5_0: smallBlocks({ hasMinimum: false, hasFifthBit: true }),
  Q5_1: smallBlocks({ hasMinimum: true, hasFifthBit: true }),
  Q8_0: bytes,
  Q4_K: kBlocks({ hasFifthBit: false }),
  Q5_K: kBlocks({ hasFifthBit: true }),
  Q6_K: sixBits,
};

/** `rows` whole rows, the first of which starts a tile. `source` may have any alignment. */
export function repackRows(format: QuantFormat, source: Uint8Array, rows: number, columns: number): Planes {
  const bytesPerRow = rowBytes(format, columns);
  invariant(source.length === rows * bytesPerRow, `${rows} rows of ${bytesPerRow} bytes in ${source.length} bytes`);
  const { unitsPerRow, quantsBytes, extrasBytes } = planeSizes(format, rows, columns);
  const planes = { quants: new Uint32Array(quantsBytes / 4), extras: new Uint32Array(extrasBytes / 4) };
  const view = new DataView(source.buffer, source.byteOffset, source.byteLength);
  const blocksPerUnit = format.unitLength / format.blockLength;
  const blocksPerRow = columns / format.blockLength;
  for (let row = 0; row < rows; row++) {
    for (let unit = 0; unit < unitsPerRow; unit++) {
      const first = unit * blocksPerUnit;
      const place = Math.floor(row / ROW_TILE) * unitsPerRow + unit;
      FORMATS[format.name]!(
        view,
        row * bytesPerRow + first * format.blockBytes,
        Math.min(blocksPerUnit, blocksPerRow - first),
        planes.quants,
        place * format.quantVectors * VECTOR_STRIDE + 4 * (row % ROW_TILE),
        planes.extras,
        place * format.extraWords * EXTRA_STRIDE + (row % ROW_TILE),
      );
    }
  }
  return planes;
}

function floats(byteLength: number): RepackUnit {
  return (source, at, blocks, quants, vector) => {
    const length = blocks * byteLength;
    const words = length >> 2;
    const place = (word: number) => vector + (word >> 2) * VECTOR_STRIDE + (word & 3);
    for (let word = 0; word < words; word++) quants[place(word)] = source.getUint32(at + 4 * word, true);
    if (length & 2) quants[place(words)] = source.getUint16(at + 4 * words, true);
  };
}

function smallBlocks({ hasMinimum, hasFifthBit }: { hasMinimum: boolean; hasFifthBit: boolean }): RepackUnit {
  const fifthBitsAt = hasMinimum ? 4 : 2;
  const nibblesAt = fifthBitsAt + (hasFifthBit ? 4 : 0);
  const blockBytes = nibblesAt + 16;
  return (source, first, blocks, quants, vector, extras, extra) => {
    extras[extra] = hasMinimum ? source.getUint32(first, true) : scalePair(source, first, blocks, blockBytes);
    for (let block = 0; block < blocks; block++) {
      const at = first + block * blockBytes;
      const bits = hasFifthBit ? source.getUint32(at + fifthBitsAt, true) : 0;
      if (hasFifthBit) extras[extra + (1 + block) * EXTRA_STRIDE] = spreadFifthBits(bits);
      for (let i = 0; i < 4; i++)
        quants[vector + block * VECTOR_STRIDE + i] = source.getUint32(at + nibblesAt + 4 * i, true);
    }
  };
}

/** Bit 4 i + b goes to bit 8 b + i. */
function spreadFifthBits(bits: number): number {
  let spread = 0;
  for (let bit = 0; bit < 32; bit++) spread |= ((bits >>> bit) & 1) << (8 * (bit & 3) + (bit >> 2));
  return spread;
}

/** Of one block or two. */
function scalePair(source: DataView, at: number, blocks: number, blockBytes: number): number {
  return source.getUint16(at, true) | (blocks > 1 ? source.getUint16(at + blockBytes, true) << 16 : 0);
}

function bytes(...[source, first, blocks, quants, vector, extras, extra]: Parameters<RepackUnit>): void {
  const blockBytes = 34;
  extras[extra] = scalePair(source, first, blocks, blockBytes);
  for (let half = 0; half < 2 * blocks; half++) {
    const from = first + (half >> 1) * blockBytes + 2 + 16 * (half & 1);
    for (let i = 0; i < 4; i++) quants[vector + half * VECTOR_STRIDE + i] = source.getUint32(from + 4 * i, true);
  }
}

function kBlocks({ hasFifthBit }: { hasFifthBit: boolean }): RepackUnit {
  const fifthBitsAt = 16;
  const nibblesAt = fifthBitsAt + (hasFifthBit ? 32 : 0);
  return (source, at, _blocks, quants, vector, extras, extra) => {
    extras[extra] = source.getUint32(at, true);
    // ggml's get_scale_min_k4, four groups at a time: six bits in place, or four and two apart.
    const [scales, minima, low] = [4, 8, 12].map((from) => source.getUint32(at + from, true)) as [
      number,
      number,
      number,
    ];
    const words = [
      scales & 0x3f3f3f3f,
      (low & 0x0f0f0f0f) | ((scales >>> 2) & 0x30303030),
      minima & 0x3f3f3f3f,
      ((low >>> 4) & 0x0f0f0f0f) | ((minima >>> 2) & 0x30303030),
    ];
    words.forEach((word, index) => {
      extras[extra + (1 + index) * EXTRA_STRIDE] = word;
    });
    for (let group = 0; group < 8; group++) {
      nibbles(source, at + nibblesAt + 32 * (group >> 1), 4 * (group & 1), quants, vector + group * VECTOR_STRIDE);
      if (!hasFifthBit) continue;
      let bits = 0;
      for (let i = 0; i < 8; i++)
        bits |= ((source.getUint32(at + fifthBitsAt + 4 * i, true) >>> group) & 0x01010101) << i;
      extras[extra + (5 + group) * EXTRA_STRIDE] = bits;
    }
  };
}

function sixBits(...[source, at, , quants, vector, extras, extra]: Parameters<RepackUnit>): void {
  extras[extra] = source.getUint16(at + 208, true);
  for (let i = 0; i < 4; i++) extras[extra + (1 + i) * EXTRA_STRIDE] = source.getUint32(at + 192 + 4 * i, true);
  for (let group = 0; group < 8; group++) {
    const low = at + 64 * (group >> 2) + 32 * (group & 1);
    nibbles(source, low, 2 * (group & 2), quants, vector + group * VECTOR_STRIDE);
    for (let half = 0; half < 2; half++) {
      const from = at + 128 + 32 * (group >> 2) + 16 * half;
      let pairs = 0;
      for (let i = 0; i < 4; i++)
        pairs |= ((source.getUint32(from + 4 * i, true) >>> (2 * (group & 3))) & 0x03030303) << (2 * i);
      extras[extra + (5 + 2 * group + half) * EXTRA_STRIDE] = pairs;
    }
  }
}

/** One of the two groups in the 32 bytes at `at`: byte j gets weight j below weight j + 16. */
function nibbles(source: DataView, at: number, shift: number, quants: Uint32Array, word: number): void {
  for (let i = 0; i < 4; i++) {
    const first = (source.getUint32(at + 4 * i, true) >>> shift) & 0x0f0f0f0f;
    const second = (source.getUint32(at + 16 + 4 * i, true) >>> shift) & 0x0f0f0f0f;
    quants[word + i] = first | (second << 4);
  }
}
