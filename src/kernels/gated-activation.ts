// The feed-forward's gate where gate and up came from a plain mat-mul: act(gate) * up.
import { defineKernel } from "../gpu/kernel.ts";
import activation from "./activation.wgsl?raw";
import source from "./gated-activation.wgsl?raw";

/** By the number that kernels know them by. */
export const ACTIVATIONS = ["silu", "gelu_tanh", "gelu", "relu"] as const;
export type ActivationName = (typeof ACTIVATIONS)[number];

/** input: [rows, 2 * width], gates then ups; output: [rows, width]. ACTIVATION: index in ACTIVATIONS. Size: rows. */
export const gatedActivation = defineKernel({
  name: "gated-activation",
  source: source + activation,
  bindings: { input: "read", output: "read_write" },
  params: { width: "u32" },
  overrides: { ACTIVATION: "u32" },
  grid: ({ rows }: { rows: number }, { params }) => [Math.ceil(params.width / 64), rows],
});

/** act(gate) * up, in float64. */
export function gatedActivationReference(input: Float32Array, width: number, activation: ActivationName): Float32Array {
  const rows = input.length / (2 * width);
  const output = new Float32Array(rows * width);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < width; column++) {
      const gate = input[row * 2 * width + column]!;
      output[row * width + column] = activate(gate, activation) * input[row * 2 * width + width + column]!;
    }
  }
  return output;
}

/** SiLU (arXiv 1702.03118), GELU and its tanh form (arXiv 1606.08415), ReLU. */
export function activate(x: number, activation: ActivationName): number {
  switch (activation) {
    case "silu":
      return x / (1 + Math.exp(-x));
    case "gelu_tanh":
      return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
    case "gelu":
      return 0.5 * x * (1 + erf(x / Math.SQRT2));
    case "relu":
      return Math.max(x, 0);
    default:
      return activation satisfies never;
  }
}

/** The Maclaurin series where it converges well, 1 beyond: within 1e-12. */
function erf(x: number): number {
  if (Math.abs(x) > 5) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; n < 150; n++) {
    term *= -(x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}
