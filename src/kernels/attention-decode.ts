// Attention for decode and verify rows (1 to 16), split at fixed absolute key positions so that no length changes a sum's order.
import type { AdapterFacts } from "../gpu/device.ts";
import { defineKernel } from "../gpu/kernel.ts";
import broadcast from "./attention-broadcast.wgsl?raw";
import source from "./attention-decode.wgsl?raw";
import broadcastSource from "./attention-decode-broadcast.wgsl?raw";
import lanes4 from "./attention-lanes-4.wgsl?raw";
import lanes8 from "./attention-lanes-8.wgsl?raw";
import fold from "./fold.wgsl?raw";
import fromLane4 from "./from-lane-4.wgsl?raw";
import fromLane8 from "./from-lane-8.wgsl?raw";

/** Keys in a chunk: 4 pages. */
export const DECODE_CHUNK = 256;

/** Chunks that a sequence of so many tokens is cut into: `maxChunks` for the longest that may come. */
export function decodeChunks(tokens: number): number {
  return Math.ceil(tokens / DECODE_CHUNK);
}

/** Elements of `partials` for so many rows: a vec4 of (max, sum, 0, 0) and headDim values for each chunk and head. */
export function partialsLength(rows: number, headCount: number, headDim: number, maxChunks: number): number {
  return rows * headCount * maxChunks * (headDim + 4);
}

/** Size of both decode kernels. */
export interface DecodeAttentionSize {
  readonly rows: number;
  /** Tokens of the longest row's sequence, its own included. */
  readonly longest: number;
}

/**
 * queries: [rows, headCount, headDim], scaled. kv: see kv-format.ts, whose `readBy8` is the prelude. output: [rows, headCount, headDim], of the rows whose keys lie
 * in one chunk. partials: [rows, headCount, maxChunks, headDim + 4], of the others, for attentionReduce; chunks beyond a row's
 * length or before its window are neither written nor read. HEAD_DIM: a multiple of 8, at most 512. THREADS: attentionThreads.
 * window, softCap: 0 for none.
 */
export const attentionDecode = defineKernel({
  name: "attention-decode",
  source,
  bindings: { queries: "read", kv: "read", rows: "read", pages: "read", partials: "read_write", output: "read_write" },
  params: { headCount: "u32", kvHeadCount: "u32", window: "u32", softCap: "f32", maxChunks: "u32" },
  overrides: { HEAD_DIM: "u32", THREADS: "u32" },
  grid: ({ rows, longest }: DecodeAttentionSize, { params: { headCount, kvHeadCount } }) => [
    decodeChunks(longest),
    kvHeadCount * Math.ceil(headCount / kvHeadCount / 4),
    rows,
  ],
});

/** Threads of a workgroup of attentionDecode: fixed for an adapter, since sums are added in their order. */
export function attentionThreads({ isFallback }: AdapterFacts): 64 | 128 {
  return isFallback ? 64 : 128;
}

/** The same where a workgroup is one subgroup of 4 lanes. kv is read by 4 dimensions: `readBy4`. OCTET: 8 heads in one, or 4. */
export const attentionDecodeBroadcast4 = defineKernel({
  ...attentionDecode,
  name: "attention-decode-broadcast-4",
  source: broadcastSource + broadcast + fold + lanes4 + fromLane4,
  overrides: { HEAD_DIM: "u32", OCTET: "bool" },
  grid: ({ rows, longest }: DecodeAttentionSize, { params: { headCount, kvHeadCount }, overrides: { OCTET } }) => [
    decodeChunks(longest),
    kvHeadCount * Math.ceil(headCount / kvHeadCount / (OCTET ? 8 : 4)),
    rows,
  ],
});

/** The same in subgroups of 8. */
export const attentionDecodeBroadcast8 = defineKernel({
  ...attentionDecodeBroadcast4,
  name: "attention-decode-broadcast-8",
  source: broadcastSource + broadcast + fold + lanes8 + fromLane8,
});

const MOST_BROADCAST_HEAD_DIM = 256;

/**
 * The kernel for an adapter that has one of its own; undefined: attentionDecode. Fixed, since another would give other bits.
 * @param group query heads of one KV head: with one or two, most products of a subgroup would be of no head
 */
export function attentionDecodeBroadcastFor(
  { isFallback, subgroupSize }: AdapterFacts,
  { headDim, group }: { readonly headDim: number; readonly group: number },
): { readonly kernel: typeof attentionDecodeBroadcast4; readonly octet: boolean } | undefined {
  if (!isFallback || group < 3 || headDim > MOST_BROADCAST_HEAD_DIM) return undefined;
  const octet = group > 4;
  if (subgroupSize === 4) return { kernel: attentionDecodeBroadcast4, octet };
  if (subgroupSize === 8) return { kernel: attentionDecodeBroadcast8, octet };
  return undefined;
}

export { attentionReference as attentionDecodeReference } from "./attention-reference.ts";
