// Cosines and sines of rotary position embedding, in float64 on the CPU: WGSL's own are exact to 2^-11 only.

/** How rotation frequencies are stretched for contexts beyond the trained one. */
export type RopeScaling =
  | { readonly kind: "none" }
  /** Positions divided by `factor`. */
  | { readonly kind: "linear"; readonly factor: number }
  /** Llama 3.1's by-part stretching; GGUF files mostly carry its result as `factors` instead. */
  | {
      readonly kind: "llama3";
      readonly factor: number;
      readonly lowFrequencyFactor: number;
      readonly highFrequencyFactor: number;
      readonly originalContextLength: number;
    }
  /** YaRN (arXiv 2309.00071); `attentionFactor` multiplies cos and sin. */
  | {
      readonly kind: "yarn";
      readonly factor: number;
      readonly originalContextLength: number;
      readonly betaFast: number;
      readonly betaSlow: number;
      readonly attentionFactor: number;
    };

export interface RopeTableOptions {
  readonly base: number;
  /** Rotated dimensions of a head; even. */
  readonly dimension: number;
  readonly scaling: RopeScaling;
  /** Divisors of the frequencies, [dimension / 2]: GGUF's rope_freqs. */
  readonly factors?: ArrayLike<number>;
}

/** [positions, dimension / 2] pairs of (cos, sin), as rope-kv's `table` wants them. */
export function buildRopeTable(options: RopeTableOptions, positions: number): Float32Array {
  const pairs = options.dimension / 2;
  const table = new Float32Array(positions * pairs * 2);
  const scale = options.scaling.kind === "yarn" ? options.scaling.attentionFactor : 1;
  for (let pair = 0; pair < pairs; pair++) {
    const frequency = ropeFrequency(options, pair);
    for (let position = 0; position < positions; position++) {
      const at = (position * pairs + pair) * 2;
      table[at] = scale * Math.cos(position * frequency);
      table[at + 1] = scale * Math.sin(position * frequency);
    }
  }
  return table;
}

/**
 * Radians per position of a pair: base^(-2 pair / dimension) (arXiv 2104.09864), stretched. The scalings are those of
 * transformers' modeling_rope_utils.py: linear (arXiv 2306.15595), llama3 (Llama 3.1's by-part rule) and YaRN's NTK-by-parts
 * (arXiv 2309.00071, section 3.2); `factors` divide before the stretching, as ggml's rope does.
 */
export function ropeFrequency({ base, dimension, scaling, factors }: RopeTableOptions, pair: number): number {
  const frequency = base ** ((-2 * pair) / dimension) / (factors?.[pair] ?? 1);
  switch (scaling.kind) {
    case "none":
      return frequency;
    case "linear":
      return frequency / scaling.factor;
    case "llama3": {
      const { factor, lowFrequencyFactor, highFrequencyFactor, originalContextLength } = scaling;
      const turns = (originalContextLength * frequency) / (2 * Math.PI);
      const kept = clamp01((turns - lowFrequencyFactor) / (highFrequencyFactor - lowFrequencyFactor));
      return frequency * (kept + (1 - kept) / factor);
    }
    case "yarn": {
      const { factor, originalContextLength, betaFast, betaSlow } = scaling;
      // The pair that turns so many times within the original context.
      const pairOf = (turns: number) =>
        (dimension * Math.log(originalContextLength / (turns * 2 * Math.PI))) / (2 * Math.log(base));
      const low = Math.max(0, Math.floor(pairOf(betaFast)));
      const high = Math.min(dimension - 1, Math.ceil(pairOf(betaSlow)));
      const stretched = clamp01((pair - low) / Math.max(0.001, high - low));
      return frequency * (1 - stretched + stretched / factor);
    }
    default:
      return scaling satisfies never;
  }
}

function clamp01(value: number): number {
  return Math.min(1, Math.max(0, value));
}
