// The feed-forward's first half in one dispatch, for few rows of x: act(gate x) * (up x).
import { defineKernel } from "../gpu/kernel.ts";
import activation from "./activation.wgsl?raw";
import { type ActivationName, activate } from "./gated-activation.ts";
import { linearReference, matVecShares } from "./mat-vec.ts";
import source from "./mat-vec-gated.wgsl?raw";
import threads from "./mat-vec-threads.wgsl?raw";
import normScale from "./norm-scale.wgsl?raw";

/**
 * input: [rows, columns], columns a multiple of 4. quants, extras: the planes of gate above up, each of `width` rows, a
 * multiple of 32, in one part. output: [rows, width]. squares, hasNorm, epsilon, ROWS: as in matVec. step: (rows). ACTIVATION:
 * index in ACTIVATIONS. LANES, PER_LANE, SLICES and prelude: see MatVecVariant. Size: rows.
 */
export const matVecGated = defineKernel({
  name: "mat-vec-gated",
  source: source + activation + threads + normScale,
  bindings: {
    input: "read",
    quants: "read",
    extras: "read",
    squares: "read",
    step: "uniform",
    output: "read_write",
  },
  params: { columns: "u32", width: "u32", hasNorm: "u32", epsilon: "f32" },
  overrides: { LANES: "u32", PER_LANE: "u32", SLICES: "u32", ROWS: "u32", ACTIVATION: "u32" },
  grid: ({ rows }: { rows: number }, { params, overrides }) => [matVecShares(params.width, rows, overrides)],
});

/** act(gate x) * (up x) of each row in float64: [rows, width]. `weights`: [2 * width, columns], dequantized. */
export function matVecGatedReference(
  input: Float32Array | Float64Array,
  weights: Float32Array,
  columns: number,
  activation: ActivationName,
): Float64Array {
  const both = linearReference({ input, weights, columns });
  const rows = input.length / columns;
  const width = both.length / rows / 2;
  return Float64Array.from({ length: rows * width }, (_, index) => {
    const gate = Math.floor(index / width) * 2 * width + (index % width);
    return activate(both[gate]!, activation) * both[gate + width]!;
  });
}
