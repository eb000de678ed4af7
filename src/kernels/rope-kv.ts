// Between the projections and attention: optional norms of query and key heads, rope, KV pages written, queries scaled.
import { defineKernel } from "../gpu/kernel.ts";
import { DEFAULT_KV_CACHE, KV_FORMATS, type KvCacheType } from "./kv-format.ts";
import { type KvShape, kvIndex } from "./kv-layout.ts";
import source from "./rope-kv.wgsl?raw";

/**
 * qkv: rows of `rowStride` elements, with queries [headCount, headDim], keys and values [kvHeadCount, headDim] at their offsets.
 * queryNorm, keyNorm: [headDim] (any read buffer where the override is false; not the kv). table: see rope-table.ts.
 * queries: [rows, headCount, headDim]. kv: see kv-format.ts, whose `write` is the prelude. One buffer for q, k and v, since adapters bind only 8.
 */
export const ropeKv = defineKernel({
  name: "rope-kv",
  source,
  bindings: {
    qkv: "read",
    queryNorm: "read",
    keyNorm: "read",
    table: "read",
    rows: "read",
    pages: "read",
    queries: "read_write",
    kv: "read_write",
  },
  params: {
    rowStride: "u32",
    queryOffset: "u32",
    keyOffset: "u32",
    valueOffset: "u32",
    headCount: "u32",
    kvHeadCount: "u32",
    queryScale: "f32",
    epsilon: "f32",
  },
  overrides: { HEAD_DIM: "u32", ROPE_DIM: "u32", HALVES: "bool", HAS_QUERY_NORM: "bool", HAS_KEY_NORM: "bool" },
  grid: ({ rows }: { rows: number }, { params }) => [params.headCount + 2 * params.kvHeadCount, rows],
});

export interface RopeKvReferenceOptions extends KvShape {
  readonly headCount: number;
  readonly qkv: Float32Array;
  readonly rowStride: number;
  readonly queryOffset: number;
  readonly keyOffset: number;
  readonly valueOffset: number;
  readonly queryNorm?: Float32Array;
  readonly keyNorm?: Float32Array;
  readonly epsilon: number;
  readonly queryScale: number;
  readonly layout: "interleaved" | "halves";
  readonly ropeDim: number;
  readonly table: Float32Array;
  /** [rows] of (token, position, page table offset, 0). */
  readonly rows: Uint32Array;
  readonly pages: Uint32Array;
  /** Keys and values are rounded as the GPU stores them: to f16 by default. f32: they stay as they are. */
  readonly kvFormat?: KvCacheType | "f32";
}

/** Gives the scaled queries, and writes keys and values into `kv` (one element a number, see kvIndex). */
export function ropeKvReference(options: RopeKvReferenceOptions, kv: Float32Array): Float32Array {
  const { headCount, kvHeadCount, headDim, qkv, rowStride, rows } = options;
  const rowCount = rows.length / 4;
  const { kvFormat = DEFAULT_KV_CACHE } = options;
  const queries = new Float32Array(rowCount * headCount * headDim);
  for (let row = 0; row < rowCount; row++) {
    const position = rows[row * 4 + 1]!;
    const read = (offset: number, head: number) => {
      const start = row * rowStride + offset + head * headDim;
      return Float64Array.from(qkv.subarray(start, start + headDim));
    };
    for (let head = 0; head < headCount; head++) {
      const x = rotate(
        options,
        normalize(read(options.queryOffset, head), options.queryNorm, options.epsilon),
        position,
      );
      for (let d = 0; d < headDim; d++) {
        queries[(row * headCount + head) * headDim + d] = x[d]! * options.queryScale;
      }
    }
    for (let head = 0; head < kvHeadCount; head++) {
      const key = rotate(options, normalize(read(options.keyOffset, head), options.keyNorm, options.epsilon), position);
      const value = read(options.valueOffset, head);
      for (const [isValue, vector] of [key, value].entries()) {
        if (kvFormat !== "f32") KV_FORMATS[kvFormat].round(vector);
        kv.set(vector, kvIndex(options, options.pages, rows[row * 4 + 2]!, isValue as 0 | 1, head, position, 0));
      }
    }
  }
  return queries;
}

function normalize(x: Float64Array, weight: Float32Array | undefined, epsilon: number): Float64Array {
  if (!weight) return x;
  const scale = 1 / Math.sqrt(x.reduce((sum, value) => sum + value * value, 0) / x.length + epsilon);
  return x.map((value, d) => value * scale * weight[d]!);
}

function rotate({ layout, ropeDim, table }: RopeKvReferenceOptions, x: Float64Array, position: number): Float64Array {
  const half = ropeDim / 2;
  for (let pair = 0; pair < half; pair++) {
    const [first, second] = layout === "interleaved" ? [2 * pair, 2 * pair + 1] : [pair, pair + half];
    const [a, b] = [x[first]!, x[second]!];
    const cos = table[(position * half + pair) * 2]!;
    const sin = table[(position * half + pair) * 2 + 1]!;
    x[first] = a * cos - b * sin;
    x[second] = b * cos + a * sin;
  }
  return x;
}
