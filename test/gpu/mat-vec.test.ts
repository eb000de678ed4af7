// mat-vec against float64, for every format; its rows alone and beside others; its parts, biases, residuals and gathers.
import { expect, test } from "vitest";
import type { Device } from "../../src/gpu/device.ts";
import { type BufferBinding, MAX_WORKGROUPS, prepare } from "../../src/gpu/kernel.ts";
import { linearReference, matVec, matVecSlices } from "../../src/kernels/mat-vec.ts";
import type { QuantFormat } from "../../src/quant/format.ts";
import { SUPPORTED_FORMATS } from "../../src/quant/formats.ts";
import { Q4_1 } from "../../src/quant/q4_1.ts";
import { Q4_K } from "../../src/quant/q4_k.ts";
import { Q8_0 } from "../../src/quant/q8_0.ts";
import { randomFloats } from "../quant/random-weights.ts";
import { describeAdapters } from "./adapters.ts";
import {
  guardedOutput,
  isUntouched,
  MAX_NMSE,
  nmse,
  randomMatrix,
  runOnce,
  shapesOf,
  sparsePlanes,
  tilesAroundFold,
  upload,
  uploadRows,
} from "./weight-kernels.ts";

interface Run {
  format: QuantFormat;
  columns: number;
  rowCount: number;
  planes: { quants: BufferBinding; extras: BufferBinding };
  output: BufferBinding;
  input: Float32Array;
  rows?: number;
  rowOffset?: number;
  outStride?: number;
  accumulate?: boolean;
  bias?: { values: Float32Array; offset: number };
  wanted?: Uint32Array;
  slices?: number;
}

async function run(device: Device, options: Run): Promise<void> {
  const { format, columns, rowCount, planes, output, bias, wanted } = options;
  const input = await upload(device, options.input);
  const operation = await prepare(device, matVec, {
    label: "mat-vec",
    prelude: format.prelude,
    buffers: {
      input,
      ...planes,
      bias: bias ? await upload(device, bias.values) : input,
      wanted: wanted ? await upload(device, wanted) : input,
      output,
    },
    params: {
      columns,
      rowCount,
      rowOffset: options.rowOffset ?? 0,
      biasOffset: bias?.offset ?? 0,
      outStride: options.outStride ?? rowCount,
      accumulate: Number(options.accumulate ?? false),
      hasBias: Number(bias !== undefined),
      gather: Number(wanted !== undefined),
    },
    overrides: { SLICES: options.slices ?? matVecSlices(device.adapter) },
  });
  runOnce(device, operation, { rows: options.rows ?? wanted?.length ?? options.input.length / columns });
}

describeAdapters("mat-vec", (adapter) => {
  test.each(
    SUPPORTED_FORMATS.flatMap((format) => shapesOf(format).map((shape) => [format.name, ...shape, format] as const)),
  )("%s %i x %i equals the float64 product", async (_name, rowCount, columns, format) => {
    const device = await adapter.device();
    const { weights, planes } = await randomMatrix(device, format, rowCount, columns);
    const input = randomFloats(3 * columns, 5);
    const output = await guardedOutput(device, 3 * rowCount);
    await run(device, { format, columns, rowCount, planes, output: output.binding, input });
    expect(nmse(await output.read(), linearReference({ input, weights, columns }))).toBeLessThan(MAX_NMSE);
  });

  test.each([Q4_1, Q8_0, Q4_K])("$name: cut in 8 slices, as on a GPU, it gives the same product", async (format) => {
    const device = await adapter.device();
    for (const [rowCount, columns] of [
      [33, 256],
      [100, 768],
    ] as const) {
      const { weights, planes } = await randomMatrix(device, format, rowCount, columns);
      const input = randomFloats(2 * columns, 6);
      const output = await guardedOutput(device, 2 * rowCount);
      await run(device, { format, columns, rowCount, planes, output: output.binding, input, slices: 8 });
      expect(nmse(await output.read(), linearReference({ input, weights, columns }))).toBeLessThan(MAX_NMSE);
    }
  });

  test.each([1, 8])("a row's result does not depend on the rows beside it (%i slices)", async (slices) => {
    const device = await adapter.device();
    const [rowCount, columns, rows] = [70, 576, 16];
    const { planes } = await randomMatrix(device, Q4_1, rowCount, columns);
    const input = randomFloats(rows * columns, 7);
    const all = await guardedOutput(device, rows * rowCount);
    const shared = { format: Q4_1, columns, rowCount, planes, slices };
    await run(device, { ...shared, output: all.binding, input });
    const together = await all.read();
    for (const row of [0, 1, 7, 15]) {
      const one = await guardedOutput(device, rowCount);
      await run(device, { ...shared, output: one.binding, input: input.slice(row * columns, (row + 1) * columns) });
      expect(await one.read()).toEqual(together.slice(row * rowCount, (row + 1) * rowCount));
    }
  });

  test("parts of a matrix fill their own columns of wider rows, with the bits of the whole", async () => {
    const device = await adapter.device();
    const [rowCount, columns, cut, outStride, rowOffset] = [100, 96, 64, 130, 20];
    const { bytes, planes } = await randomMatrix(device, Q8_0, rowCount, columns);
    const input = randomFloats(2 * columns, 8);
    const whole = await guardedOutput(device, 2 * rowCount);
    await run(device, { format: Q8_0, columns, rowCount, planes, output: whole.binding, input });
    const expected = await whole.read();

    const bytesPerRow = bytes.length / rowCount;
    const output = await guardedOutput(device, 2 * outStride);
    for (const [from, to] of [
      [0, cut],
      [cut, rowCount],
    ] as const) {
      await run(device, {
        format: Q8_0,
        columns,
        rowCount: to - from,
        planes: await uploadRows(device, Q8_0, bytes.subarray(from * bytesPerRow, to * bytesPerRow), columns),
        output: output.binding,
        input,
        rowOffset: rowOffset + from,
        outStride,
      });
    }
    const actual = await output.read();
    for (let row = 0; row < 2; row++) {
      for (let column = 0; column < outStride; column++) {
        const n = column - rowOffset;
        const index = row * outStride + column;
        if (n < 0 || n >= rowCount) expect(isUntouched(actual, index)).toBe(true);
        else expect(actual[index]).toBe(expected[row * rowCount + n]);
      }
    }
  });

  test.each([1, 8])("bias and residual are added, and wanted rows gathered (%i slices)", async (slices) => {
    const device = await adapter.device();
    const [rowCount, columns] = [45, 96];
    const { weights, planes } = await randomMatrix(device, Q4_1, rowCount, columns);
    const input = randomFloats(6 * columns, 9);
    const wanted = Uint32Array.of(4, 0, 5);
    const residual = randomFloats(wanted.length * rowCount, 10);
    const bias = randomFloats(rowCount + 3, 11);
    const output = await guardedOutput(device, residual.length, residual);
    await run(device, {
      format: Q4_1,
      columns,
      rowCount,
      planes,
      output: output.binding,
      input,
      wanted,
      bias: { values: bias, offset: 3 },
      accumulate: true,
      slices,
    });
    const expected = linearReference({ input, weights, columns, wanted, residual, bias: bias.subarray(3) });
    expect(nmse(await output.read(), expected)).toBeLessThan(MAX_NMSE);
  });

  test("a matrix of more tiles than a grid is wide", async () => {
    const device = await adapter.device();
    const columns = 32;
    const rowCount = (MAX_WORKGROUPS + 2) * 32 - 27;
    const { filled, ...planes } = await sparsePlanes(device, rowCount, columns, tilesAroundFold(rowCount));
    const input = randomFloats(columns, 12);
    const output = await guardedOutput(device, rowCount);
    await run(device, { format: Q4_1, columns, rowCount, planes, output: output.binding, input });
    const actual = await output.read();
    let written = 0;
    for (const { tile, weights } of filled) {
      const expected = linearReference({ input, weights, columns });
      expect(nmse(actual.slice(tile * 32, tile * 32 + expected.length), expected)).toBeLessThan(MAX_NMSE);
      written += expected.length;
    }
    expect(actual.filter((value) => value !== 0).length).toBe(written);
  });
});
