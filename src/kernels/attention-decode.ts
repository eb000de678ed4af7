// Attention for decode and verify rows (1 to 16), split at fixed absolute key positions so that no length changes a sum's order.
import type { AdapterFacts } from "../gpu/device.ts";
import { defineKernel } from "../gpu/kernel.ts";
import broadcast from "./attention-broadcast.wgsl?raw";
import source from "./attention-decode.wgsl?raw";
import broadcastSource from "./attention-decode-broadcast.wgsl?raw";
import lanes4 from "./attention-lanes-4.wgsl?raw";

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
 * length or before its window are neither written nor read. HEAD_DIM: a multiple of 8, at most 512.
 * window, softCap: 0 for none.
 */
export const attentionDecode = defineKernel({
  name: "attention-decode",
  source,
  bindings: { queries: "read", kv: "read", rows: "read", pages: "read", partials: "read_write", output: "read_write" },
  params: { headCount: "u32", kvHeadCount: "u32", window: "u32", softCap: "f32", maxChunks: "u32" },
  overrides: { HEAD_DIM: "u32" },
  grid: ({ rows, longest }: DecodeAttentionSize, { params: { headCount, kvHeadCount } }) => [
    decodeChunks(longest),
    kvHeadCount * Math.ceil(headCount / kvHeadCount / 4),
    rows,
  ],
});

const HEADS_PER_SUBGROUP = 8;
const MOST_BROADCAST_HEAD_DIM = 256;
/** With fewer query heads for a KV head, that many products of a subgroup would be of no head. */
const LEAST_GROUP = 3;

/** The same where a workgroup is one subgroup of 4 lanes. kv is read by 4 dimensions: `readBy4`. */
export const attentionDecodeBroadcast = defineKernel({
  ...attentionDecode,
  name: "attention-decode-broadcast",
  source: broadcastSource + broadcast + lanes4,
  grid: ({ rows, longest }: DecodeAttentionSize, { params: { headCount, kvHeadCount } }) => [
    decodeChunks(longest),
    kvHeadCount * Math.ceil(headCount / kvHeadCount / HEADS_PER_SUBGROUP),
    rows,
  ],
});

/**
 * The kernel for an adapter and a model, and by how many dimensions it reads; fixed, since another would give other bits.
 * @param group query heads of one KV head
 */
export function attentionDecodeFor(
  { isFallback, subgroupSize }: AdapterFacts,
  { headDim, group }: { readonly headDim: number; readonly group: number },
): { readonly kernel: typeof attentionDecode; readonly readBy: "readBy4" | "readBy8" } {
  // In subgroups of 8, on lavapipe, it would gain a tenth, and take five seconds to compile.
  if (isFallback && subgroupSize === 4 && group >= LEAST_GROUP && headDim <= MOST_BROADCAST_HEAD_DIM)
    return { kernel: attentionDecodeBroadcast, readBy: "readBy4" };
  return { kernel: attentionDecode, readBy: "readBy8" };
}

export { attentionReference as attentionDecodeReference } from "./attention-reference.ts";
