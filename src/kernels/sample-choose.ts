// The last of the sampling kernels: the filters' cut, the winner of the draw, the best raw logits.
import { defineKernel } from "../gpu/kernel.ts";
import source from "./sample-choose.wgsl?raw";
import drawSource from "./sample-draw.wgsl?raw";
import rowsSource from "./sample-rows.wgsl?raw";

/** distances: what was `scores`. The others: as sampleWeigh left them. results: [rows, SAMPLE_RESULT_WORDS], and the rows' places behind.
 * Size: rows. */
export const sampleChoose = defineKernel({
  name: "sample-choose",
  source: source + rowsSource + drawSource,
  bindings: {
    rows: "read",
    logits: "read",
    weights: "read",
    largest: "read",
    distances: "read",
    histogram: "read",
    best: "read",
    results: "read_write",
  },
  params: { vocabSize: "u32" },
  overrides: {},
  grid: ({ rows }: { rows: number }) => [rows],
});
