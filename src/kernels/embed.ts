// Gathers the embeddings of a step's tokens from the repacked planes, which a tied head shares.
import { defineKernel } from "../gpu/kernel.ts";
import source from "./embed.wgsl?raw";

/**
 * rows: [rows] of (token id, _, _, 0), or (_, _, _, place) with the id at that index of tokens: sampled by an earlier step;
 * tokens may be anything where no row has a place. quants, extras: the planes of matrix rows `rowOffset` up to `rowOffset + rowCount`; tokens
 * outside are left to the other parts. output: [rows, columns], columns a multiple of 4; embeddings times `scale`. forNorm: 1
 * leaves what matVecResidual does in `normed` and `squares`, by the norm's weight `gain`; with 0 these three may be anything.
 * BY_EIGHT: sums of 8 columns, not of 32 (columnsInSum).
 * prelude: the format's. Size: rows.
 */
export const embed = defineKernel({
  name: "embed",
  source,
  bindings: {
    rows: "read",
    quants: "read",
    extras: "read",
    gain: "read",
    tokens: "read",
    output: "read_write",
    normed: "read_write",
    squares: "read_write",
  },
  params: { columns: "u32", rowCount: "u32", rowOffset: "u32", scale: "f32", forNorm: "u32" },
  overrides: { BY_EIGHT: "bool" },
  grid: ({ rows }: { rows: number }, { params }) => [Math.ceil(params.columns / 1024), rows],
});

/** `weights`: [vocabSize, columns], dequantized. Gives [tokens, columns]. */
export function embedReference(
  tokens: ArrayLike<number>,
  weights: Float32Array,
  columns: number,
  scale: number,
): Float32Array {
  const output = new Float32Array(tokens.length * columns);
  for (let row = 0; row < tokens.length; row++) {
    for (let k = 0; k < columns; k++) output[row * columns + k] = weights[tokens[row]! * columns + k]! * scale;
  }
  return output;
}
