// RMS norm of each row, statistics in f32 (arXiv 1910.07467).
import { defineKernel } from "../gpu/kernel.ts";
import source from "./rms-norm.wgsl?raw";

/** input and output: [rows, width]; weight: [width]. Size: rows, at most 65,535. */
export const rmsNorm = defineKernel({
  name: "rms-norm",
  source,
  bindings: { input: "read", weight: "read", output: "read_write" },
  params: { width: "u32", epsilon: "f32" },
  overrides: {},
  grid: ({ rows }: { rows: number }) => [rows],
});

/** output[row] = input[row] / sqrt(mean(input[row]^2) + epsilon) * weight, in float64. */
export function rmsNormReference(input: Float32Array, weight: Float32Array, epsilon: number): Float32Array {
  const width = weight.length;
  const output = new Float32Array(input.length);
  for (let start = 0; start < input.length; start += width) {
    let squares = 0;
    for (let column = 0; column < width; column++) squares += input[start + column]! ** 2;
    const scale = 1 / Math.sqrt(squares / width + epsilon);
    for (let column = 0; column < width; column++) {
      output[start + column] = input[start + column]! * scale * weight[column]!;
    }
  }
  return output;
}
