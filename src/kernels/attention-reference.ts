// Softmax attention over KV pages in plain loops: what both attention kernels are held against.
import type { KvShape } from "./kv-layout.ts";
import { kvIndex } from "./kv-layout.ts";

export interface AttentionReferenceOptions extends KvShape {
  readonly headCount: number;
  /** [rows, headCount, headDim], scaled already. */
  readonly queries: Float32Array;
  /** One element a number, see kvIndex. */
  readonly kv: Float32Array;
  /** [rows] of (token, position, page table offset, 0). */
  readonly rows: Uint32Array;
  readonly pages: Uint32Array;
  /** A key is seen up to this many positions back, the row's own included; 0: all. */
  readonly window: number;
  /** Scores become cap * tanh(score / cap); 0: unchanged. */
  readonly softCap: number;
}

/** [rows, headCount, headDim]: softmax(q.k) v over the keys of the row's sequence up to its position, in float64. */
export function attentionReference(options: AttentionReferenceOptions): Float32Array {
  const { headCount, kvHeadCount, headDim, queries, kv, rows, pages, window, softCap } = options;
  const output = new Float32Array(queries.length);
  for (let row = 0; row < rows.length / 4; row++) {
    const position = rows[row * 4 + 1]!;
    const first = window === 0 ? 0 : Math.max(0, position - window + 1);
    for (let head = 0; head < headCount; head++) {
      const kvHead = Math.floor(head / (headCount / kvHeadCount));
      const start = (row * headCount + head) * headDim;
      const at = (isValue: 0 | 1, key: number) => kvIndex(options, pages, rows[row * 4 + 2]!, isValue, kvHead, key, 0);
      const scores: number[] = [];
      for (let key = first; key <= position; key++) {
        const base = at(0, key);
        let score = 0;
        for (let d = 0; d < headDim; d++) score += queries[start + d]! * kv[base + d]!;
        scores.push(softCap === 0 ? score : softCap * Math.tanh(score / softCap));
      }
      const max = scores.reduce((most, score) => Math.max(most, score), Number.NEGATIVE_INFINITY);
      const weights = scores.map((score) => Math.exp(score - max));
      const sum = weights.reduce((total, weight) => total + weight, 0);
      const mixed = new Float64Array(headDim);
      weights.forEach((weight, index) => {
        const base = at(1, first + index);
        for (let d = 0; d < headDim; d++) mixed[d]! += weight * kv[base + d]!;
      });
      for (let d = 0; d < headDim; d++) output[start + d] = mixed[d]! / sum;
    }
  }
  return output;
}
