// How large the planes of a matrix are, and its rows in the file (format.ts describes the layout).
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
