// The mat-mul kernels against float64, for every format; its rows in steps of any size; its parts, biases, residuals and gathers.
import { beforeEach, expect, test } from "vitest";
import type { Device } from "../../src/gpu/device.ts";
import { type BufferBinding, prepare } from "../../src/gpu/kernel.ts";
import { matMul } from "../../src/kernels/mat-mul.ts";
import { matMulBroadcast4, matMulBroadcast8 } from "../../src/kernels/mat-mul-broadcast.ts";
import { matMulStaged } from "../../src/kernels/mat-mul-staged.ts";
import {
  broadcastFor,
  matMulPrelude,
  type PortableVariant,
  STAGED,
  STAGED_INT8,
  type StagedVariant,
} from "../../src/kernels/mat-mul-variant.ts";
import { type LinearReferenceOptions, linearReference } from "../../src/kernels/mat-vec.ts";
import { rowsToTexture } from "../../src/kernels/rows-to-texture.ts";
import { F16 } from "../../src/quant/f16.ts";
import type { QuantFormat } from "../../src/quant/format.ts";
import { SUPPORTED_FORMATS } from "../../src/quant/formats.ts";
import { Q4_1 } from "../../src/quant/q4_1.ts";
import { Q6_K } from "../../src/quant/q6_k.ts";
import { Q8_0 } from "../../src/quant/q8_0.ts";
import { randomFloats } from "../quant/random-weights.ts";
import { describeAdapters, type TestAdapter } from "./adapters.ts";
import {
  expectAcrossFold,
  guardedOutput,
  isUntouched,
  MAX_NMSE,
  nmse,
  randomMatrix,
  roundedFor,
  runOnce,
  shapesOf,
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
  /** Rows of the step; the grid may be made for more. */
  rows?: number;
  gridRows?: number;
  rowOffset?: number;
  outStride?: number;
  accumulate?: boolean;
  bias?: { values: Float32Array; offset: number };
  wanted?: Uint32Array;
  /** Of workgroups, in place of the variant's own. */
  portableShape?: PortableVariant["overrides"];
  stagedShape?: StagedVariant["overrides"];
}

const VARIANTS = ["portable", "broadcast", ...STAGED, STAGED_INT8] as const;
type Variant = (typeof VARIANTS)[number];

/** A format is decoded alike in all shapes of workgroups, each of which takes seconds to compile on a CPU adapter. */
function formatsFor(variant: Variant, { compilesSlowly }: TestAdapter): readonly QuantFormat[] {
  if (variant === STAGED_INT8) return [Q4_1, Q8_0, Q6_K]; // one for each kind of bytes
  if (compilesSlowly && variant !== "broadcast") return [Q4_1, Q8_0];
  return typeof variant === "string" || variant === STAGED[0] ? SUPPORTED_FORMATS : [Q4_1, Q8_0];
}

/** With x as the variant rounds it. */
function expectedOf(variant: Variant, product: LinearReferenceOptions & { input: Float32Array }): Float64Array {
  const input = roundedFor(typeof variant === "string" ? undefined : variant, product.input);
  return linearReference({ ...product, input });
}

async function run(device: Device, variant: Variant, options: Run): Promise<void> {
  const { format, columns, rowCount, planes, output, bias, wanted } = options;
  const rows = options.rows ?? options.input.length / columns;
  const input = await upload(device, options.input);
  const bound = {
    label: "mat-mul",
    overrides: {},
    prelude: typeof variant === "string" ? format.prelude : matMulPrelude(format, variant),
    buffers: {
      input,
      ...planes,
      bias: bias ? await upload(device, bias.values) : input,
      wanted: wanted ? await upload(device, wanted) : input,
      step: await upload(device, Uint32Array.of(rows, wanted?.length ?? 0, 0, 0)),
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
  };
  const size = { rows: options.gridRows ?? wanted?.length ?? rows };
  if (variant === "portable") {
    const overrides = options.portableShape ?? { TILES: 2, FOURS: 1 };
    runOnce(device, await prepare(device, matMul, { ...bound, overrides }), size);
  } else if (typeof variant !== "string") {
    const overrides = options.stagedShape ?? variant.overrides;
    runOnce(device, await prepare(device, matMulStaged, { ...bound, overrides }), size);
  } else if (broadcastLanes(device) === 4) {
    runOnce(device, await prepare(device, matMulBroadcast4, bound), size);
  } else {
    const byteLength = options.input.byteLength;
    const texture = await device.buffers.createTexture({ label: "rows", byteLength });
    const toTexture = await prepare(device, rowsToTexture, {
      label: "rows",
      buffers: { input, output: texture },
      params: { width: columns },
      overrides: {},
    });
    runOnce(device, toTexture, { rows: options.input.length / columns });
    const buffers = { ...bound.buffers, input: texture };
    runOnce(device, await prepare(device, matMulBroadcast8, { ...bound, buffers }), size);
  }
}

/** Undefined where subgroups are not for it. */
function broadcastLanes({ adapter }: Device): 4 | 8 | undefined {
  return broadcastFor(adapter)?.lanes;
}

for (const variant of VARIANTS)
  describeAdapters(`mat-mul, ${typeof variant === "string" ? variant : variant.name}`, (adapter) =>
    suite(variant, adapter),
  );

function suite(variant: Variant, adapter: TestAdapter): void {
  beforeEach(async (context) => {
    const device = await adapter.device();
    const { subgroupSize } = device.adapter;
    const absent = variant === "broadcast" && broadcastLanes(device) === undefined;
    context.skip(absent, `subgroups of ${subgroupSize} lanes are not for it`);
  });

  test.each(
    formatsFor(variant, adapter).flatMap((format) =>
      shapesOf(format).map((shape) => [format.name, ...shape, format] as const),
    ),
  )("%s %i x %i equals the float64 product", async (_name, rowCount, columns, format) => {
    const device = await adapter.device();
    const { weights, planes } = await randomMatrix(device, format, rowCount, columns);
    for (const rows of [1, 7]) {
      const input = randomFloats(rows * columns, 5);
      const output = await guardedOutput(device, rows * rowCount);
      await run(device, variant, { format, columns, rowCount, planes, output: output.binding, input });
      expect(nmse(await output.read(), expectedOf(variant, { input, weights, columns }))).toBeLessThan(MAX_NMSE);
    }
  });

  test.each([
    ["Q4_1", Q4_1],
    ["Q8_0", Q8_0],
  ])("%s: a row has the same bits in steps of 1, 7, 64 and 256 rows, wherever it stands", async (_name, format) => {
    const device = await adapter.device();
    const [rowCount, columns, rows] = [70, 576, 256];
    const { planes } = await randomMatrix(device, format, rowCount, columns);
    const input = randomFloats(rows * columns, 7);
    const product = async (from: number, to: number, portableShape?: Run["portableShape"]) => {
      const output = await guardedOutput(device, (to - from) * rowCount);
      const part = input.slice(from * columns, to * columns);
      const shared = { format, columns, rowCount, planes, output: output.binding, input: part };
      await run(device, variant, portableShape === undefined ? shared : { ...shared, portableShape });
      return output.read();
    };
    const all = await product(0, 256);
    for (const [from, to] of [
      [0, 1],
      [201, 202],
      [0, 7],
      [94, 101],
      [3, 67],
      [192, 256],
    ] as const) {
      expect(await product(from, to)).toEqual(all.slice(from * rowCount, to * rowCount));
    }
    // Neither does the shape of workgroups matter to them: each of its rows keeps to itself.
    const shapes =
      variant === "portable"
        ? ([
            { TILES: 16, FOURS: 1 },
            { TILES: 2, FOURS: 8 },
          ] as const)
        : [];
    for (const shape of shapes) {
      expect(await product(94, 101, shape)).toEqual(all.slice(94 * rowCount, 101 * rowCount));
      expect(await product(3, 67, shape)).toEqual(all.slice(3 * rowCount, 67 * rowCount));
    }
  });

  test("rows beyond those of the step are neither read nor written", async () => {
    const device = await adapter.device();
    const [rowCount, columns] = [33, 96];
    const { weights, planes } = await randomMatrix(device, Q8_0, rowCount, columns);
    const input = randomFloats(8 * columns, 8).fill(Number.NaN, 5 * columns);
    const output = await guardedOutput(device, 8 * rowCount);
    await run(device, variant, {
      format: Q8_0,
      columns,
      rowCount,
      planes,
      output: output.binding,
      input,
      rows: 5,
      gridRows: 8,
    });
    const actual = await output.read();
    const expected = expectedOf(variant, { input: input.subarray(0, 5 * columns), weights, columns });
    expect(nmse(actual.subarray(0, 5 * rowCount), expected)).toBeLessThan(MAX_NMSE);
    for (let index = 5 * rowCount; index < actual.length; index++) expect(isUntouched(actual, index)).toBe(true);
  });

  test("a row of NaN spoils no other row", async () => {
    const device = await adapter.device();
    // Where it can, with columns that leave a part of a group unfilled.
    const [rowCount, columns, format] = variant === STAGED_INT8 ? [33, 32, Q8_0] : [33, 36, F16];
    const { weights, planes } = await randomMatrix(device, format, rowCount, columns);
    const input = randomFloats(4 * columns, 8);
    const clean = input.slice();
    input.fill(Number.NaN, 2 * columns, 3 * columns);
    const output = await guardedOutput(device, 4 * rowCount);
    await run(device, variant, { format, columns, rowCount, planes, output: output.binding, input });
    const actual = await output.read();
    const expected = expectedOf(variant, { input: clean, weights, columns });
    for (const row of [0, 1, 3]) {
      const [from, to] = [row * rowCount, (row + 1) * rowCount];
      expect(nmse(actual.slice(from, to), expected.slice(from, to))).toBeLessThan(MAX_NMSE);
    }
  });

  test("parts of a matrix fill their own columns of wider rows, with the bits of the whole", async () => {
    const device = await adapter.device();
    const [rowCount, columns, cut, outStride, rowOffset, rows] = [100, 96, 64, 130, 20, 6];
    const { bytes, planes } = await randomMatrix(device, Q8_0, rowCount, columns);
    const input = randomFloats(rows * columns, 8);
    const whole = await guardedOutput(device, rows * rowCount);
    await run(device, variant, { format: Q8_0, columns, rowCount, planes, output: whole.binding, input });
    const expected = await whole.read();

    const bytesPerRow = bytes.length / rowCount;
    const output = await guardedOutput(device, rows * outStride);
    for (const [from, to] of [
      [0, cut],
      [cut, rowCount],
    ] as const) {
      await run(device, variant, {
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
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < outStride; column++) {
        const n = column - rowOffset;
        const index = row * outStride + column;
        if (n < 0 || n >= rowCount) expect(isUntouched(actual, index)).toBe(true);
        else expect(actual[index]).toBe(expected[row * rowCount + n]);
      }
    }
  });

  test("bias and residual are added, and wanted rows gathered", async () => {
    const device = await adapter.device();
    const [rowCount, columns] = [45, 96];
    const { weights, planes } = await randomMatrix(device, Q4_1, rowCount, columns);
    const input = randomFloats(6 * columns, 9);
    const wanted = Uint32Array.of(4, 0, 5, 5, 1);
    const residual = randomFloats(wanted.length * rowCount, 10);
    const bias = randomFloats(rowCount + 3, 11);
    const output = await guardedOutput(device, residual.length, residual);
    await run(device, variant, {
      format: Q4_1,
      columns,
      rowCount,
      planes,
      output: output.binding,
      input,
      wanted,
      bias: { values: bias, offset: 3 },
      accumulate: true,
    });
    const expected = expectedOf(variant, { input, weights, columns, wanted, residual, bias: bias.subarray(3) });
    expect(nmse(await output.read(), expected)).toBeLessThan(MAX_NMSE);
  });

  // Of the staged ones, which differ by the shape that is replaced here, the first speaks for all of its arithmetic.
  const isRepeated = typeof variant !== "string" && STAGED.indexOf(variant) > 0;
  if (!isRepeated)
    test("a matrix of more tiles than a grid is wide", async () => {
      const device = await adapter.device();
      const portableShape = { TILES: 1, FOURS: 1 };
      const stagedShape = { TILES: 1, ROWS: 32, W_FOURS: 1, X_FOURS: 1 };
      await expectAcrossFold(
        device,
        (product) => run(device, variant, { ...product, portableShape, stagedShape }),
        (product) => expectedOf(variant, product),
      );
    });
}
