// The second of the sampling kernels: distances, weights, and each block's own draw.
import { defineKernel } from "../gpu/kernel.ts";
import drawSource from "./sample-draw.wgsl?raw";
import { sampleBlocks } from "./sample-rows.ts";
import rowsSource from "./sample-rows.wgsl?raw";
import source from "./sample-weigh.wgsl?raw";

/** weights: sampleWeights. The others: as sampleAdjust left them; best: of sampleScratch. Size: rows. */
export const sampleWeigh = defineKernel({
  name: "sample-weigh",
  source: source + rowsSource + drawSource,
  bindings: {
    rows: "read",
    logits: "read",
    weights: "read",
    largest: "read",
    scores: "read_write",
    histogram: "read_write",
    best: "read_write",
  },
  params: { vocabSize: "u32" },
  overrides: {},
  grid: ({ rows }: { rows: number }, { params }) => [sampleBlocks(params.vocabSize), rows],
});
