// The arithmetic of each op on single rows: float64 sums over f32 values, in plain loops.
import type { Activation, RopeSpec } from "../model/spec.ts";

/** Cosines and sines of every position and rotated pair, [positions, dimension / 2]. */
export interface RopeTable {
  readonly cos: Float64Array;
  readonly sin: Float64Array;
  readonly pairs: number;
}

/** x / sqrt(mean(x^2) + epsilon) * weight */
export function rmsNorm(x: Float32Array, weight: Float32Array, epsilon: number, out: Float32Array): void {
  let squares = 0;
  for (const value of x) squares += value * value;
  const scale = 1 / Math.sqrt(squares / x.length + epsilon);
  for (let i = 0; i < x.length; i++) out[i] = x[i]! * scale * weight[i]!;
}

/** out[row][n] (+)= sum over k of weight[n, k] * input[row][k] (+ bias[n]) */
export function linear(
  weight: Float32Array,
  input: readonly Float32Array[],
  out: readonly Float32Array[],
  { add = false, bias }: { add?: boolean; bias?: Float32Array } = {},
): void {
  input.forEach((x, row) => {
    const y = out[row]!;
    for (let n = 0; n < y.length; n++) {
      const start = n * x.length;
      let sum = bias?.[n] ?? 0;
      for (let k = 0; k < x.length; k++) sum += weight[start + k]! * x[k]!;
      y[n] = add ? y[n]! + sum : sum;
    }
  });
}

/** out = act(gate) * up */
export function gate(activation: Activation, gate: Float32Array, up: Float32Array, out: Float32Array): void {
  const act = ACTIVATIONS[activation];
  for (let i = 0; i < out.length; i++) out[i] = act(gate[i]!) * up[i]!;
}

const ACTIVATIONS: Readonly<Record<Activation, (x: number) => number>> = {
  silu: (x) => x / (1 + Math.exp(-x)),
  gelu_tanh: (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  relu: (x) => Math.max(0, x),
};

/** Angles of rope; formulas of the scalings as in transformers' modeling_rope_utils.py. */
export function ropeTable(rope: RopeSpec, positions: number, factors?: Float32Array): RopeTable {
  const pairs = rope.dimension / 2;
  const cos = new Float64Array(positions * pairs);
  const sin = new Float64Array(positions * pairs);
  const scale = rope.scaling.kind === "yarn" ? rope.scaling.attentionFactor : 1;
  for (let pair = 0; pair < pairs; pair++) {
    const frequency = scaledFrequency(rope, pair) / (factors?.[pair] ?? 1);
    for (let position = 0; position < positions; position++) {
      cos[position * pairs + pair] = scale * Math.cos(position * frequency);
      sin[position * pairs + pair] = scale * Math.sin(position * frequency);
    }
  }
  return { cos, sin, pairs };
}

function scaledFrequency({ base, dimension, scaling }: RopeSpec, pair: number): number {
  const frequency = base ** ((-2 * pair) / dimension);
  switch (scaling.kind) {
    case "none":
      return frequency;
    case "linear":
      return frequency / scaling.factor;
    case "llama3": {
      const { factor, lowFrequencyFactor, highFrequencyFactor, originalContextLength } = scaling;
      const turns = (originalContextLength * frequency) / (2 * Math.PI);
      const smooth = (turns - lowFrequencyFactor) / (highFrequencyFactor - lowFrequencyFactor);
      const kept = Math.min(1, Math.max(0, smooth));
      return frequency * (kept + (1 - kept) / factor);
    }
    case "yarn": {
      const { factor, originalContextLength, betaFast, betaSlow } = scaling;
      const pairOf = (turns: number) =>
        (dimension * Math.log(originalContextLength / (turns * 2 * Math.PI))) / (2 * Math.log(base));
      const low = Math.max(0, Math.floor(pairOf(betaFast)));
      const high = Math.min(dimension - 1, Math.ceil(pairOf(betaSlow)));
      const ramp = Math.min(1, Math.max(0, (pair - low) / Math.max(0.001, high - low)));
      return frequency * (1 - ramp + ramp / factor);
    }
    default:
      return scaling satisfies never;
  }
}

/** Rotates the head in place to its position. */
export function rotate(head: Float32Array, layout: RopeSpec["layout"], table: RopeTable, position: number): void {
  const { pairs } = table;
  for (let pair = 0; pair < pairs; pair++) {
    const [first, second] = layout === "interleaved" ? [2 * pair, 2 * pair + 1] : [pair, pair + pairs];
    const [a, b] = [head[first]!, head[second]!];
    const [cos, sin] = [table.cos[position * pairs + pair]!, table.sin[position * pairs + pair]!];
    head[first] = a * cos - b * sin;
    head[second] = a * sin + b * cos;
  }
}

const HALF_MAX = 65504;

/** The nearest half-precision number, ties to even; beyond the largest, the largest. */
export function roundToHalf(value: number): number {
  const size = Math.abs(value);
  if (size >= HALF_MAX) return Math.sign(value) * HALF_MAX;
  // Below 2^-14 halves are 2^-24 apart; above, 2^-10 of the power of two below the value.
  const exponent = size < 2 ** -14 ? -14 : Math.floor(Math.log2(size));
  const step = 2 ** (exponent - 10);
  return roundEven(value / step) * step;
}

function roundEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor;
}
