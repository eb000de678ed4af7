// Attention for prefill rows: online softmax over tiles of keys (arXiv 1805.02867, 2205.14135).
import type { AdapterFacts } from "../gpu/device.ts";
import { defineKernel } from "../gpu/kernel.ts";
import broadcast from "./attention-broadcast.wgsl?raw";
import lanes4 from "./attention-lanes-4.wgsl?raw";
import lanes8 from "./attention-lanes-8.wgsl?raw";
import source from "./attention-prefill.wgsl?raw";
import broadcastSource from "./attention-prefill-broadcast.wgsl?raw";
import fold from "./fold.wgsl?raw";
import fromLane4 from "./from-lane-4.wgsl?raw";
import fromLane8 from "./from-lane-8.wgsl?raw";

const ROWS_PER_WORKGROUP = 16;
const ROWS_PER_SUBGROUP = 8;

/**
 * queries, output: [rows, headCount, headDim], queries scaled. kv: see kv-format.ts, whose `readBy4` is the prelude. The rows of a sequence see its keys up to
 * their own position; several sequences may share a step. HEAD_DIM: a multiple of 4, at most 256. window, softCap: 0 for none.
 * `step.rowCount` must be the size's rows.
 */
export const attentionPrefill = defineKernel({
  name: "attention-prefill",
  source,
  bindings: { step: "uniform", queries: "read", kv: "read", rows: "read", pages: "read", output: "read_write" },
  params: { headCount: "u32", kvHeadCount: "u32", window: "u32", softCap: "f32" },
  overrides: { HEAD_DIM: "u32" },
  grid: ({ rows }: { rows: number }, { params }) => [Math.ceil(rows / ROWS_PER_WORKGROUP), params.headCount],
});

/** The same where a workgroup is one subgroup of 4 lanes. */
export const attentionPrefillBroadcast4 = defineKernel({
  ...attentionPrefill,
  name: "attention-prefill-broadcast-4",
  source: broadcastSource + broadcast + fold + lanes4 + fromLane4,
  grid: ({ rows }: { rows: number }, { params }) => [Math.ceil(rows / ROWS_PER_SUBGROUP), params.headCount],
});

/** The same in subgroups of 8. */
export const attentionPrefillBroadcast8 = defineKernel({
  ...attentionPrefillBroadcast4,
  name: "attention-prefill-broadcast-8",
  source: broadcastSource + broadcast + fold + lanes8 + fromLane8,
});

/** The kernel for an adapter; fixed, since another would give other bits. */
export function attentionPrefillFor({ isFallback, subgroupSize }: AdapterFacts): typeof attentionPrefill {
  if (isFallback && subgroupSize === 4) return attentionPrefillBroadcast4;
  if (isFallback && subgroupSize === 8) return attentionPrefillBroadcast8;
  return attentionPrefill;
}

export { attentionReference as attentionPrefillReference } from "./attention-reference.ts";
