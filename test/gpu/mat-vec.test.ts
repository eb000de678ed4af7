// mat-vec against float64, for every format and variant; its rows alone and beside others; its parts, biases, norms and gathers.
import { expect, test } from "vitest";
import type { Device } from "../../src/gpu/device.ts";
import { type BufferBinding, prepare } from "../../src/gpu/kernel.ts";
import { linearReference, type MatVecRows, matVec } from "../../src/kernels/mat-vec.ts";
import { columnsInSum, normInputReference } from "../../src/kernels/mat-vec-residual.ts";
import { type MatVecVariant, matVecBuild } from "../../src/kernels/mat-vec-variant.ts";
import { rmsNormReference } from "../../src/kernels/rms-norm.ts";
import type { QuantFormat } from "../../src/quant/format.ts";
import { SUPPORTED_FORMATS } from "../../src/quant/formats.ts";
import { Q4_1 } from "../../src/quant/q4_1.ts";
import { Q4_K } from "../../src/quant/q4_k.ts";
import { Q8_0 } from "../../src/quant/q8_0.ts";
import { seedsFor } from "../../src/runtime/tuning/seeds.ts";
import { randomFloats } from "../quant/random-weights.ts";
import { describeAdapters } from "./adapters.ts";
import {
  COMPACT_VARIANTS,
  expectAcrossFold,
  guardedOutput,
  isUntouched,
  MAT_VEC_VARIANTS,
  MAX_NMSE,
  matVecVariantsOn,
  maxNmse,
  nmse,
  randomMatrix,
  requireArithmetic,
  roundedFor,
  runOnce,
  shapesOf,
  upload,
  uploadRows,
  uploadStep,
} from "./weight-kernels.ts";

interface Run {
  format: QuantFormat;
  columns: number;
  rowCount: number;
  planes: { quants: BufferBinding; extras: BufferBinding };
  output: BufferBinding;
  input: Float32Array;
  rowOffset?: number;
  outStride?: number;
  bias?: { values: Float32Array; offset: number };
  wanted?: Uint32Array;
  /** Sums of squares of the rows of x, which a norm of this epsilon scales by. */
  norm?: { squares: Float32Array; epsilon: number };
  variant?: MatVecVariant;
  /** Rows of x in a workgroup. */
  together?: MatVecRows;
}

async function run(device: Device, options: Run): Promise<void> {
  const { format, columns, rowCount, planes, output, bias, wanted, norm, together = 1 } = options;
  const variant = options.variant ?? seedsFor(device.adapter, { format, rows: rowCount }).matVec;
  const input = await upload(device, options.input);
  const rows = wanted?.length ?? options.input.length / columns;
  const operation = await prepare(device, matVec, {
    label: "mat-vec",
    ...matVecBuild(format, variant, together),
    buffers: {
      input,
      ...planes,
      bias: bias ? await upload(device, bias.values) : input,
      wanted: wanted ? await upload(device, wanted) : input,
      squares: norm ? await upload(device, norm.squares) : input,
      step: await uploadStep(device, rows),
      output,
    },
    params: {
      columns,
      rowCount,
      rowOffset: options.rowOffset ?? 0,
      biasOffset: bias?.offset ?? 0,
      outStride: options.outStride ?? rowCount,
      hasBias: Number(bias !== undefined),
      gather: Number(wanted !== undefined),
      hasNorm: Number(norm !== undefined),
      epsilon: norm?.epsilon ?? 0,
    },
  });
  runOnce(device, operation, { rows });
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

  test.each(
    MAT_VEC_VARIANTS.filter(([name]) => name === "8 x 1" || name === "8 x 8").flatMap(([name, variant]) =>
      [Q4_1, Q8_0, Q4_K].map((format) => [format.name, name, format, variant] as const),
    ),
  )("%s, %s: the same product", async (_format, _variant, format, variant) => {
    const device = await adapter.device();
    for (const [rowCount, columns] of [
      [33, 256],
      [100, 768],
    ] as const) {
      const { weights, planes } = await randomMatrix(device, format, rowCount, columns);
      const input = randomFloats(2 * columns, 6);
      const output = await guardedOutput(device, 2 * rowCount);
      await run(device, { format, columns, rowCount, planes, output: output.binding, input, variant });
      expect(nmse(await output.read(), linearReference({ input, weights, columns }))).toBeLessThan(MAX_NMSE);
    }
  });

  const quantized = SUPPORTED_FORMATS.filter(({ compactPreludes }) => compactPreludes !== undefined);
  test.for(
    COMPACT_VARIANTS.filter(([, { slices }]) => slices === 1).flatMap(([name, variant]) =>
      quantized.map((format) => [format.name, name, format, variant] as const),
    ),
  )("%s, %s: the product with x as it is rounded", async ([, , format, variant], context) => {
    await requireArithmetic(context, adapter, variant);
    const device = await adapter.device();
    const wide = 8 * format.blockLength;
    for (const [rowCount, columns] of [
      [1, format.blockLength],
      [33, 3 * format.blockLength],
      [70, wide],
    ] as const) {
      const { weights, planes } = await randomMatrix(device, format, rowCount, columns);
      const input = randomFloats(2 * columns, 6);
      const output = await guardedOutput(device, 2 * rowCount);
      await run(device, { format, columns, rowCount, planes, output: output.binding, input, variant });
      const actual = await output.read();
      const product = (x: Float32Array | Float64Array) => linearReference({ input: x, weights, columns });
      expect(nmse(actual, product(roundedFor(variant, input)))).toBeLessThan(maxNmse(variant));
      // Rounding is off by 1 / 12 of the square of a step, 1 / 127 of a number near 1 at most; the energy of x is 1 / 3.
      if (columns === wide) expect(nmse(actual, product(input))).toBeLessThan((2 * 3) / 12 / 127 ** 2);
    }
  });

  test.for(COMPACT_VARIANTS)("%s: groups of x of any size are rounded by themselves", async ([, variant], context) => {
    await requireArithmetic(context, adapter, variant);
    const device = await adapter.device();
    const [rowCount, columns] = [32, 256];
    const { weights, planes } = await randomMatrix(device, Q8_0, rowCount, columns);
    const sizes = [1, 1e6, 0, 1e-6, 1e30, 1e-29, 1e-38, 1];
    const input = randomFloats(columns, 6).map((value, i) => value * sizes[Math.floor(i / 32)]!);
    for (const group of sizes.keys()) {
      const alone = input.map((value, i) => (Math.floor(i / 32) === group ? value : 0));
      const output = await guardedOutput(device, rowCount);
      await run(device, { format: Q8_0, columns, rowCount, planes, output: output.binding, input: alone, variant });
      const expected = linearReference({ input: roundedFor(variant, alone), weights, columns });
      const actual = await output.read();
      if (expected.every((value) => value === 0)) expect(actual.every((value) => value === 0)).toBe(true);
      else expect(nmse(actual, expected), `times ${sizes[group]}`).toBeLessThan(maxNmse(variant));
    }
  });

  test.for(COMPACT_VARIANTS)("%s: what is no number stays none", async ([, variant], context) => {
    await requireArithmetic(context, adapter, variant);
    const device = await adapter.device();
    const [rowCount, columns] = [32, 96];
    const { planes } = await randomMatrix(device, Q8_0, rowCount, columns);
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const input = randomFloats(2 * columns, 6).fill(bad, 40, 41);
      const output = await guardedOutput(device, 2 * rowCount);
      await run(device, { format: Q8_0, columns, rowCount, planes, output: output.binding, input, variant });
      const actual = await output.read();
      expect(actual.subarray(0, rowCount).some(Number.isFinite)).toBe(false);
      expect(actual.subarray(rowCount).every(Number.isFinite)).toBe(true);
    }
  });

  test.for([["the adapter's own", undefined], ...matVecVariantsOn(adapter), ...COMPACT_VARIANTS] as const)(
    "%s: a row is right, and has the same bits alone, beside others, and four to a workgroup",
    async ([, variant], context) => {
      await requireArithmetic(context, adapter, variant);
      const device = await adapter.device();
      const [rowCount, columns, rows] = [70, 576, 16];
      const { weights, planes } = await randomMatrix(device, Q4_1, rowCount, columns);
      const input = randomFloats(rows * columns, 7);
      const shared = { format: Q4_1, columns, rowCount, planes, ...(variant && { variant }) };
      const all = await guardedOutput(device, rows * rowCount);
      await run(device, { ...shared, output: all.binding, input });
      const expected = await all.read();
      const x = roundedFor(variant, input);
      expect(nmse(expected, linearReference({ input: x, weights, columns }))).toBeLessThan(maxNmse(variant));
      for (const [from, count, together] of [
        [0, 1, 1],
        [7, 1, 1],
        [15, 1, 1],
        [0, 16, 4],
        [5, 1, 4],
        [3, 2, 4],
        [8, 7, 4],
      ] as const) {
        const some = await guardedOutput(device, count * rowCount);
        const rowsOfInput = input.slice(from * columns, (from + count) * columns);
        await run(device, { ...shared, output: some.binding, input: rowsOfInput, together });
        const name = `rows ${from} to ${from + count}, ${together} together`;
        expect(await some.read(), name).toEqual(expected.slice(from * rowCount, (from + count) * rowCount));
      }
    },
  );

  test.each(matVecVariantsOn(adapter))(
    "%s: what its producer left of a residual stream is scaled by the norm, with the same bits four to a workgroup",
    async (_, variant) => {
      const device = await adapter.device();
      const epsilon = 1e-5;
      for (const [rowCount, columns] of [
        [40, 96],
        [33, 160],
        [64, 576],
      ] as const) {
        const { weights, planes } = await randomMatrix(device, Q4_1, rowCount, columns);
        const residual = randomFloats(5 * columns, 13);
        const gain = randomFloats(columns, 14);
        const { normed, squares } = normInputReference(residual, gain, columnsInSum(variant.slices === 1));
        const wanted = Uint32Array.of(4, 1);
        const product = async (together: MatVecRows) => {
          const output = await guardedOutput(device, 2 * rowCount);
          await run(device, {
            format: Q4_1,
            columns,
            rowCount,
            planes,
            output: output.binding,
            input: Float32Array.from(normed),
            wanted,
            norm: { squares: Float32Array.from(squares), epsilon },
            variant,
            together,
          });
          return output.read();
        };
        const alone = await product(1);
        const input = rmsNormReference(residual, gain, epsilon);
        expect(nmse(alone, linearReference({ input, weights, columns, wanted }))).toBeLessThan(MAX_NMSE);
        expect(await product(4)).toEqual(alone);
      }
    },
  );

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

  test.each([1, 4] as const)("bias is added, and wanted rows gathered (%i to a workgroup)", async (together) => {
    const device = await adapter.device();
    const [rowCount, columns] = [45, 96];
    const { weights, planes } = await randomMatrix(device, Q4_1, rowCount, columns);
    const input = randomFloats(6 * columns, 9);
    const wanted = Uint32Array.of(4, 0, 5);
    const bias = randomFloats(rowCount + 3, 11);
    const output = await guardedOutput(device, wanted.length * rowCount);
    await run(device, {
      format: Q4_1,
      columns,
      rowCount,
      planes,
      output: output.binding,
      input,
      wanted,
      bias: { values: bias, offset: 3 },
      together,
    });
    const expected = linearReference({ input, weights, columns, wanted, bias: bias.subarray(3) });
    expect(nmse(await output.read(), expected)).toBeLessThan(MAX_NMSE);
  });

  test.each([1, 5])("more tiles than a grid is wide, each for %i rows of x", async (rows) => {
    const device = await adapter.device();
    await expectAcrossFold(device, (product) => run(device, product), linearReference, rows);
  });
});
