// The planes that the GPU makes of a file's rows, word by word those of the CPU reference.
import { expect, test } from "vitest";
import { repack, repackOverrides } from "../../src/kernels/repack.ts";
import { SUPPORTED_FORMATS } from "../../src/quant/formats.ts";
import { planeSizes, rowBytes } from "../../src/quant/planes.ts";
import { randomBytes } from "../quant/random-weights.ts";
import { repackRows } from "../quant/repack-reference.ts";
import { describeAdapters } from "./adapters.ts";
import { runKernel } from "./run-kernel.ts";

// Rows that leave a tile unfilled, and columns that leave half a unit (96, 576) or a group (36, 35) where the format has them.
const SHAPES = [
  [1, 256],
  [32, 512],
  [33, 768],
  [70, 96],
  [5, 576],
  [3, 36],
  [7, 35],
] as const;

describeAdapters("repack", (adapter) => {
  test.each(SUPPORTED_FORMATS)("$name", async (format) => {
    const device = await adapter.device();
    for (const [rows, asked] of SHAPES) {
      const columns = Math.ceil(asked / format.blockLength) * format.blockLength;
      const bytes = randomBytes(rows * rowBytes(format, columns), rows * 1000 + columns);
      const { tiles, unitsPerRow: units } = planeSizes(format, rows, columns);
      const header = [2, rows, columns / format.blockLength, units];
      const source = new Uint32Array(header.length + Math.ceil(bytes.length / 4));
      source.set(header);
      new Uint8Array(source.buffer, header.length * 4).set(bytes);
      const expected = repackRows(format, bytes, rows, columns);
      for (const extras of [false, true]) {
        const words = extras ? expected.extras : expected.quants;
        if (words.length === 0) continue;
        // Two tiles of another part of the matrix lie before.
        const before = (words.length / tiles) * 2;
        const plane = new Uint32Array(before + words.length).fill(0x12345678);
        const made = await runKernel(device, repack, {
          data: { source, plane },
          params: {},
          overrides: repackOverrides(format, extras),
          prelude: format.repackPrelude,
          size: { tiles, units },
        });
        const got = new Uint32Array(made.plane.buffer, 0, plane.length);
        const difference = got.findIndex((word, at) => word !== (at < before ? 0x12345678 : words[at - before]));
        expect({ rows, columns, extras, difference }).toEqual({ rows, columns, extras, difference: -1 });
      }
    }
  });
});
