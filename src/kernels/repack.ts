// Weights from the order of the file to that of the kernels, where they are needed: on the GPU.
import { defineKernel } from "../gpu/kernel.ts";
import { EXTRA_STRIDE, type QuantFormat, ROW_TILE, VECTOR_STRIDE } from "../quant/format.ts";
import source from "./repack.wgsl?raw";

const THREADS = 64;
/** Of quants, side by side in one row. */
const VECTOR_WORDS = VECTOR_STRIDE / EXTRA_STRIDE;
/** Words before the rows: which tile they begin, how many they are, and the blocks and units of each. */
export const REPACK_HEADER_WORDS = 4;

/**
 * source: the header, then whole rows. plane: the quants or, with EXTRAS, the extras of a matrix or of a part of one; the tiles of
 * these rows are written whole, with zeros for what does not exist. Offsets in source and plane stay below 2 ** 32 bytes.
 * prelude: the format's `repackPrelude`. Size: tiles, and the units of a row.
 */
export const repack = defineKernel({
  name: "repack",
  source,
  bindings: { source: "read", plane: "read_write" },
  params: {},
  overrides: { EXTRAS: "bool", BLOCK_BYTES: "u32", UNIT_BLOCKS: "u32", UNIT_WORDS: "u32" },
  grid: ({ tiles, units }: { tiles: number; units: number }, { overrides }) => [
    Math.ceil((((units * overrides.UNIT_WORDS) / (overrides.EXTRAS ? 1 : VECTOR_WORDS)) * ROW_TILE) / THREADS),
    tiles,
  ],
});

/** What `repack` is built with for the quants of a format, or for its extras. */
export function repackOverrides(format: QuantFormat, extras: boolean) {
  const { blockBytes, unitLength, blockLength, quantVectors, extraWords } = format;
  return {
    EXTRAS: extras,
    BLOCK_BYTES: blockBytes,
    UNIT_BLOCKS: unitLength / blockLength,
    UNIT_WORDS: extras ? extraWords : quantVectors * VECTOR_WORDS,
  };
}
