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

/** Repacks `rows` whole rows, the first of which starts a tile. `source` may have any alignment. */
export function repackRows(format: QuantFormat, source: Uint8Array, rows: number, columns: number): Planes {
  const bytesPerRow = rowBytes(format, columns);
  invariant(source.length === rows * bytesPerRow, `${rows} rows of ${bytesPerRow} bytes in ${source.length} bytes`);
  const { unitsPerRow, quantsBytes, extrasBytes } = planeSizes(format, rows, columns);
  const quants = new Uint32Array(quantsBytes / 4);
  const extras = new Uint32Array(extrasBytes / 4);
  const view = new DataView(source.buffer, source.byteOffset, source.byteLength);
  const blocksPerUnit = format.unitLength / format.blockLength;
  const blocksPerRow = columns / format.blockLength;
  const vectorsPerUnit = format.quantVectors * VECTOR_STRIDE;
  const extrasPerUnit = format.extraWords * EXTRA_STRIDE;

  for (let row = 0; row < rows; row++) {
    const lane = row % ROW_TILE;
    const firstUnit = ((row - lane) / ROW_TILE) * unitsPerRow;
    let vector = firstUnit * vectorsPerUnit + lane * 4;
    let extra = firstUnit * extrasPerUnit + lane;
    let offset = row * bytesPerRow;
    for (let block = 0; block < blocksPerRow; block += blocksPerUnit) {
      const blocks = Math.min(blocksPerUnit, blocksPerRow - block);
      format.repackUnit(view, offset, blocks, quants, vector, extras, extra);
      vector += vectorsPerUnit;
      extra += extrasPerUnit;
      offset += blocksPerUnit * format.blockBytes;
    }
  }
  return { quants, extras };
}
