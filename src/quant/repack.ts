// From rows as a GGUF file holds them to the planes that kernels read (format.ts describes the layout).
// A permutation of bits and some zeros: nothing is requantized, nothing is allocated beside the planes.
import { invariant } from "../base/invariant.ts";
import { EXTRA_STRIDE, type QuantFormat, ROW_TILE, VECTOR_STRIDE } from "./format.ts";

export interface PlaneSizes {
  /** Tiles of ROW_TILE rows, the last one padded with rows of zeros. */
  readonly tiles: number;
  /** The last unit of a row is padded with zeros. */
  readonly unitsPerRow: number;
  readonly quantsBytes: number;
  /** 0 for formats without extras. */
  readonly extrasBytes: number;
}

export interface Planes {
  readonly quants: Uint32Array<ArrayBuffer>;
  readonly extras: Uint32Array<ArrayBuffer>;
}

/** Sizes of the planes of a matrix, or of a part of one that starts on a tile border. */
export function planeSizes(format: QuantFormat, rows: number, columns: number): PlaneSizes {
  const tiles = Math.ceil(rows / ROW_TILE);
  const unitsPerRow = Math.ceil(columns / format.unitLength);
  const units = tiles * unitsPerRow;
  return {
    tiles,
    unitsPerRow,
    quantsBytes: units * format.quantVectors * VECTOR_STRIDE * 4,
    extrasBytes: units * format.extraWords * EXTRA_STRIDE * 4,
  };
}

/** Bytes of one row in the file. */
export function rowBytes(format: QuantFormat, columns: number): number {
  invariant(columns % format.blockLength === 0, `${columns} columns are no whole number of ${format.name} blocks`);
  return (columns / format.blockLength) * format.blockBytes;
}

/** Where planes of so many words may be written, whatever is there now. */
export type PlaneMemory = (quantWords: number, extraWords: number) => Planes;

const newPlanes: PlaneMemory = (quantWords, extraWords) => ({
  quants: new Uint32Array(quantWords),
  extras: new Uint32Array(extraWords),
});

/** The same memory each time, for as many words as were ever asked for: new pages cost a third of repacking's time. */
export function reusedPlanes(): PlaneMemory {
  let held = newPlanes(0, 0);
  return (quantWords, extraWords) => {
    const { quants, extras } = held;
    if (quantWords > quants.length || extraWords > extras.length)
      held = newPlanes(Math.max(quantWords, quants.length), Math.max(extraWords, extras.length));
    return { quants: held.quants.subarray(0, quantWords), extras: held.extras.subarray(0, extraWords) };
  };
}

/** Repacks `rows` whole rows, the first of which starts a tile. `source` may have any alignment. */
export function repackRows(
  format: QuantFormat,
  source: Uint8Array,
  rows: number,
  columns: number,
  memory: PlaneMemory = newPlanes,
): Planes {
  const bytesPerRow = rowBytes(format, columns);
  invariant(source.length === rows * bytesPerRow, `${rows} rows of ${bytesPerRow} bytes in ${source.length} bytes`);
  const { tiles, unitsPerRow, quantsBytes, extrasBytes } = planeSizes(format, rows, columns);
  const planes = memory(quantsBytes / 4, extrasBytes / 4);
  const { quants, extras } = planes;
  if (rows % ROW_TILE !== 0 || columns % format.unitLength !== 0) {
    quants.fill(0);
    extras.fill(0);
  }
  const view = new DataView(source.buffer, source.byteOffset, source.byteLength);
  const blocksPerUnit = format.unitLength / format.blockLength;
  const blocksPerRow = columns / format.blockLength;
  const vectorsPerUnit = format.quantVectors * VECTOR_STRIDE;
  const extrasPerUnit = format.extraWords * EXTRA_STRIDE;

  // Units of a tile one after another, as they lie in the planes.
  for (let tile = 0; tile < tiles; tile++) {
    const tileRows = Math.min(ROW_TILE, rows - tile * ROW_TILE);
    for (let unit = 0; unit < unitsPerRow; unit++) {
      const first = unit * blocksPerUnit;
      const offset = tile * ROW_TILE * bytesPerRow + first * format.blockBytes;
      const blocks = Math.min(blocksPerUnit, blocksPerRow - first);
      const place = tile * unitsPerRow + unit;
      format.repackUnit(
        view,
        offset,
        bytesPerRow,
        tileRows,
        blocks,
        quants,
        place * vectorsPerUnit,
        extras,
        place * extrasPerUnit,
      );
    }
  }
  return planes;
}
