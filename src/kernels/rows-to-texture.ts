// Rows of activations on their way into a texture: for kernels on CPU adapters that read them many times.
import { defineKernel } from "../gpu/kernel.ts";
import source from "./rows-to-texture.wgsl?raw";

const VECTORS_PER_WORKGROUP = 64;

/** input: [rows, width], width a multiple of 4. output: room for as much. Vector i of the input becomes texel (i % 2048, i / 2048). */
export const rowsToTexture = defineKernel({
  name: "rows-to-texture",
  source,
  bindings: { input: "read", output: "texture_write" },
  params: { width: "u32" },
  overrides: {},
  grid: ({ rows }: { rows: number }, { params }) => [Math.ceil(params.width / 4 / VECTORS_PER_WORKGROUP), rows],
});
