// The first of the sampling kernels: bias and penalties, and the largest logits of each block of tokens.
import { defineKernel } from "../gpu/kernel.ts";
import source from "./sample-adjust.wgsl?raw";
import { sampleBlocks } from "./sample-rows.ts";
import rowsSource from "./sample-rows.wgsl?raw";

/**
 * rows, entries: as sample-rows.ts writes them. logits: raw, [.., vocabSize], by the bits of f32; a row names its own. scores,
 * largest, histogram: of sampleScratch, for the kernels that follow. Size: rows.
 */
export const sampleAdjust = defineKernel({
  name: "sample-adjust",
  source: source + rowsSource,
  bindings: {
    rows: "read",
    entries: "read",
    logits: "read",
    scores: "read_write",
    largest: "read_write",
    histogram: "read_write",
  },
  params: { vocabSize: "u32" },
  overrides: {},
  grid: ({ rows }: { rows: number }, { params }) => [sampleBlocks(params.vocabSize), rows],
});
