// Attention for prefill rows: online softmax over tiles of keys (arXiv 1805.02867, 2205.14135).
import { defineKernel } from "../gpu/kernel.ts";
import source from "./attention-prefill.wgsl?raw";

const ROWS_PER_WORKGROUP = 16;

/**
 * queries, output: [rows, headCount, headDim], queries scaled. kv: see kv-layout.ts. The rows of a sequence see its keys up to
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

export { attentionReference as attentionPrefillReference } from "./attention-reference.ts";
