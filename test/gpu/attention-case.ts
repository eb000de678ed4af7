// Sequences in shuffled KV pages with rows at chosen positions: the input of every attention parity test.
import type { AttentionReferenceOptions } from "../../src/kernels/attention-reference.ts";
import type { KvCacheType } from "../../src/kernels/kv-format.ts";
import { kvIndex, PAGE_LENGTH } from "../../src/kernels/kv-layout.ts";
import { roundKv } from "./pack-kv.ts";
import { gaussians } from "./run-kernel.ts";

export interface AttentionShape {
  readonly headCount: number;
  readonly kvHeadCount: number;
  readonly headDim: number;
  /** Positions of the rows, by sequence. A sequence holds keys up to its last position. */
  readonly positions: readonly (readonly number[])[];
  readonly window?: number;
  readonly softCap?: number;
  /** Default: f16. */
  readonly kvCache?: KvCacheType;
}

export interface AttentionCase extends AttentionReferenceOptions {
  readonly kvCache: KvCacheType;
}

/** What a page that no row may see holds: a number that would show in any sum. */
const POISON = 60_000;

export function attentionCase(shape: AttentionShape): AttentionCase {
  const { headCount, kvHeadCount, headDim, positions, kvCache = "f16" } = shape;
  const lengths = positions.map((of) => Math.max(...of) + 1);
  const tables = lengths.map((length) => Math.ceil(length / PAGE_LENGTH));
  const pageCount = tables.reduce((sum, count) => sum + count, 0) + 2;
  // Page ids out of order, so that a kernel that ignores the table is wrong.
  const stride = pageCount % 7 === 0 ? 5 : 7;
  const pages = Uint32Array.from({ length: pageCount - 2 }, (_, index) => (index * stride + 1) % pageCount);
  const kv = new Float32Array(pageCount * 2 * kvHeadCount * PAGE_LENGTH * headDim).fill(POISON);
  const rows: number[] = [];
  let pageTable = 0;
  positions.forEach((of, sequence) => {
    const length = lengths[sequence]!;
    const values = gaussians(length * kvHeadCount * headDim * 2, 7 * sequence + 1);
    roundKv(kvCache, values, headDim);
    let next = 0;
    for (let key = 0; key < length; key++) {
      for (let head = 0; head < kvHeadCount; head++) {
        for (const isValue of [0, 1] as const) {
          const at = kvIndex(shape, pages, pageTable, isValue, head, key, 0);
          for (let d = 0; d < headDim; d++) kv[at + d] = values[next++]!;
        }
      }
    }
    for (const position of of) rows.push(11, position, pageTable, 0);
    pageTable += tables[sequence]!;
  });
  return {
    headCount,
    kvHeadCount,
    headDim,
    queries: gaussians((rows.length / 4) * headCount * headDim, 99, 2 / Math.sqrt(headDim)),
    kv,
    rows: Uint32Array.from(rows),
    pages,
    window: shape.window ?? 0,
    softCap: shape.softCap ?? 0,
    kvCache,
  };
}
