// mat-vec-residual against float64: the stream, what it leaves for the next norm, biases, parts, rows beside others.
import { expect, test } from "vitest";
import type { Device } from "../../src/gpu/device.ts";
import { prepare } from "../../src/gpu/kernel.ts";
import { linearReference, type MatVecRows } from "../../src/kernels/mat-vec.ts";
import { columnsInSum, matVecResidual, normInputReference, squaresWidth } from "../../src/kernels/mat-vec-residual.ts";
import { type MatVecVariant, matVecBuild } from "../../src/kernels/mat-vec-variant.ts";
import type { QuantFormat } from "../../src/quant/format.ts";
import { SUPPORTED_FORMATS } from "../../src/quant/formats.ts";
import { Q4_1 } from "../../src/quant/q4_1.ts";
import { seedsFor } from "../../src/runtime/tuning/seeds.ts";
import { randomFloats } from "../quant/random-weights.ts";
import { describeAdapters } from "./adapters.ts";
import {
  COMPACT_VARIANTS,
  type GuardedOutput,
  guardedOutput,
  MAX_NMSE,
  matVecVariantsOn,
  maxNmse,
  nmse,
  randomMatrix,
  requireArithmetic,
  roundedFor,
  runOnce,
  type TestMatrix,
  upload,
  uploadRows,
  uploadStep,
} from "./weight-kernels.ts";

interface Run {
  format: QuantFormat;
  columns: number;
  /** Of the stream. */
  width: number;
  /** The part of the matrix: its planes, its rows of the stream's `width`. */
  planes: TestMatrix["planes"];
  rowOffset?: number;
  rowCount?: number;
  input: Float32Array;
  gain: Float32Array;
  bias?: Float32Array;
  variant?: MatVecVariant;
  together?: MatVecRows;
}

interface Stream {
  residual: GuardedOutput;
  normed: GuardedOutput;
  squares: GuardedOutput;
}

async function streamOf(
  device: Device,
  residual: Float32Array,
  width: number,
  variant?: MatVecVariant,
): Promise<Stream> {
  const squares = (residual.length / width) * squaresWidth(width, inSumOf(device, variant));
  return {
    residual: await guardedOutput(device, residual.length, residual),
    normed: await guardedOutput(device, residual.length, new Float32Array(residual.length)),
    squares: await guardedOutput(device, squares, new Float32Array(squares)),
  };
}

function inSumOf({ adapter }: Device, variant?: MatVecVariant): number {
  return columnsInSum(variant ? variant.slices === 1 : adapter.isFallback);
}

async function readStream({ residual, normed, squares }: Stream) {
  return { residual: await residual.read(), normed: await normed.read(), squares: await squares.read() };
}

async function run(device: Device, stream: Stream, options: Run): Promise<void> {
  const { format, columns, width, planes, bias, together = 1 } = options;
  const variant = options.variant ?? seedsFor(device.adapter, { format, rows: width }).matVec;
  const input = await upload(device, options.input);
  const rows = options.input.length / columns;
  const operation = await prepare(device, matVecResidual, {
    label: "mat-vec-residual",
    ...matVecBuild(format, variant, together),
    buffers: {
      input,
      ...planes,
      bias: bias ? await upload(device, bias) : input,
      gain: await upload(device, options.gain),
      step: await uploadStep(device, rows),
      residual: stream.residual.binding,
      normed: stream.normed.binding,
      squares: stream.squares.binding,
    },
    params: {
      columns,
      rowCount: options.rowCount ?? width,
      rowOffset: options.rowOffset ?? 0,
      width,
      hasBias: Number(bias !== undefined),
    },
  });
  runOnce(device, operation, { rows });
}

describeAdapters("mat-vec-residual", (adapter) => {
  test.each(SUPPORTED_FORMATS)("$name: the stream and its norm's inputs equal the float64 results", async (format) => {
    const device = await adapter.device();
    const columns = Math.max(96, format.blockLength);
    for (const width of [32, 100]) {
      const { weights, planes } = await randomMatrix(device, format, width, columns);
      const [input, before] = [randomFloats(3 * columns, 3), randomFloats(3 * width, 4)];
      const [gain, bias] = [randomFloats(width, 5), randomFloats(width, 6)];
      const stream = await streamOf(device, before, width);
      await run(device, stream, { format, columns, width, planes, input, gain, bias });
      const { residual, normed, squares } = await readStream(stream);
      const expected = linearReference({ input, weights, columns, bias, residual: before });
      expect(nmse(residual, expected)).toBeLessThan(MAX_NMSE);
      const left = normInputReference(residual, gain, inSumOf(device));
      expect(nmse(normed, left.normed)).toBeLessThan(MAX_NMSE);
      expect(nmse(squares, left.squares)).toBeLessThan(MAX_NMSE);
    }
  });

  test.for([["the adapter's own", undefined], ...matVecVariantsOn(adapter), ...COMPACT_VARIANTS] as const)(
    "%s: a row is right, and has the same bits alone, beside others, and four to a workgroup",
    async ([, variant], context) => {
      await requireArithmetic(context, adapter, variant);
      const device = await adapter.device();
      const [width, columns, rows] = [96, 160, 16];
      const { weights, planes } = await randomMatrix(device, Q4_1, width, columns);
      const [input, before, gain] = [
        randomFloats(rows * columns, 7),
        randomFloats(rows * width, 8),
        randomFloats(width, 9),
      ];
      const shared = { format: Q4_1, columns, width, planes, gain, ...(variant && { variant }) };
      const all = await streamOf(device, before, width, variant);
      await run(device, all, { ...shared, input });
      const expected = await readStream(all);
      const product = linearReference({ input: roundedFor(variant, input), weights, columns, residual: before });
      expect(nmse(expected.residual, product)).toBeLessThan(maxNmse(variant));
      const left = normInputReference(expected.residual, gain, inSumOf(device, variant));
      expect(nmse(expected.squares, left.squares)).toBeLessThan(MAX_NMSE);
      for (const [from, count, together] of [
        [0, 1, 1],
        [15, 1, 1],
        [0, 16, 4],
        [6, 1, 4],
        [9, 7, 4],
      ] as const) {
        const cut = (values: Float32Array) => {
          const length = values.length / rows;
          return values.slice(from * length, (from + count) * length);
        };
        const some = await streamOf(device, cut(before), width, variant);
        await run(device, some, { ...shared, input: cut(input), together });
        const actual = await readStream(some);
        const name = `rows ${from} to ${from + count}, ${together} together`;
        expect(actual.residual, name).toEqual(cut(expected.residual));
        expect(actual.normed, name).toEqual(cut(expected.normed));
        expect(actual.squares, name).toEqual(cut(expected.squares));
      }
    },
  );

  test.each([
    ["the adapter's own", undefined],
    ...matVecVariantsOn(adapter).filter(([, { lanes, perLane }]) => lanes * perLane < 32),
  ] as const)("%s: parts of a matrix fill their own columns, with the bits of the whole", async (_, variant) => {
    const device = await adapter.device();
    const [width, columns, cut] = [100, 96, 64];
    const { bytes, planes } = await randomMatrix(device, Q4_1, width, columns);
    const [input, before] = [randomFloats(2 * columns, 8), randomFloats(2 * width, 9)];
    const [gain, bias] = [randomFloats(width, 10), randomFloats(width, 11)];
    const shared = { format: Q4_1, columns, width, input, gain, bias, ...(variant && { variant }) };
    const whole = await streamOf(device, before, width, variant);
    await run(device, whole, { ...shared, planes });
    const { residual, normed, squares } = await readStream(whole);
    const left = normInputReference(residual, gain, inSumOf(device, variant));
    expect(nmse(normed, left.normed)).toBeLessThan(MAX_NMSE);
    expect(nmse(squares, left.squares)).toBeLessThan(MAX_NMSE);
    const parts = await streamOf(device, before, width, variant);
    const bytesPerRow = bytes.length / width;
    for (const [from, to] of [
      [0, cut],
      [cut, width],
    ] as const) {
      const part = await uploadRows(device, Q4_1, bytes.subarray(from * bytesPerRow, to * bytesPerRow), columns);
      await run(device, parts, { ...shared, planes: part, rowOffset: from, rowCount: to - from });
    }
    expect(await readStream(parts)).toEqual({ residual, normed, squares });
  });
});
