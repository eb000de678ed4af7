// The second half of decode attention: partial softmaxes of the chunks become one.
import { defineKernel } from "../gpu/kernel.ts";
import type { DecodeAttentionSize } from "./attention-decode.ts";
import { DECODE_CHUNK } from "./attention-decode.ts";
import source from "./attention-reduce.wgsl?raw";

/**
 * partials: as attentionDecode writes them; output: [rows, headCount, headDim], of the rows whose keys lie in several chunks.
 * window, maxChunks: as there. No dispatch where no row may have more than one chunk.
 */
export const attentionReduce = defineKernel({
  name: "attention-reduce",
  source,
  bindings: { partials: "read", rows: "read", output: "read_write" },
  params: { headCount: "u32", window: "u32", maxChunks: "u32" },
  overrides: { HEAD_DIM: "u32" },
  grid: ({ rows, longest }: DecodeAttentionSize, { params, overrides }) => [
    longest > DECODE_CHUNK ? Math.ceil((params.headCount * overrides.HEAD_DIM) / 256) : 0,
    rows,
  ],
});

export interface AttentionReduceReferenceOptions {
  readonly partials: Float32Array;
  readonly rows: Uint32Array;
  readonly headCount: number;
  readonly headDim: number;
  readonly window: number;
  readonly maxChunks: number;
}

/** Merges partial softmaxes (arXiv 2205.14135, section 3.1), in float64. */
export function attentionReduceReference(options: AttentionReduceReferenceOptions): Float32Array {
  const { partials, rows, headCount, headDim, window, maxChunks } = options;
  const output = new Float32Array((rows.length / 4) * headCount * headDim);
  for (let head = 0; head < output.length / headDim; head++) {
    const position = rows[Math.floor(head / headCount) * 4 + 1]!;
    const first = window === 0 ? 0 : Math.floor(Math.max(0, position + 1 - window) / DECODE_CHUNK);
    const chunks: number[] = [];
    for (let chunk = first; chunk <= Math.floor(position / DECODE_CHUNK); chunk++) {
      chunks.push((head * maxChunks + chunk) * (headDim + 4));
    }
    const most = Math.max(...chunks.map((at) => partials[at]!));
    const sum = chunks.reduce((total, at) => total + partials[at + 1]! * Math.exp(partials[at]! - most), 0);
    for (let d = 0; d < headDim; d++) {
      const mixed = chunks.reduce((total, at) => total + partials[at + 4 + d]! * Math.exp(partials[at]! - most), 0);
      output[head * headDim + d] = mixed / sum;
    }
  }
  return output;
}
