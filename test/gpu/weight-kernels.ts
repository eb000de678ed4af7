// What the tests of weight kernels share: repacked matrices on a device, outputs between sentinels, one run read back.
import { expect, type TestContext } from "vitest";
import { type OwnedBuffer, USAGE } from "../../src/gpu/buffers.ts";
import type { Device } from "../../src/gpu/device.ts";
import { type BufferBinding, MAX_WORKGROUPS, type Operation } from "../../src/gpu/kernel.ts";
import { createReadback } from "../../src/gpu/readback.ts";
import { record } from "../../src/gpu/recorder.ts";
import { roundX } from "../../src/kernels/compact-rounding.ts";
import {
  COMPACT_ON_CPU,
  F16,
  INT8,
  type MatVecVariant,
  ONE_SLICE,
  PORTABLE,
} from "../../src/kernels/mat-vec-variant.ts";
import { type QuantFormat, ROW_TILE } from "../../src/quant/format.ts";
import { planeSizes, rowBytes } from "../../src/quant/planes.ts";
import { Q4_1 } from "../../src/quant/q4_1.ts";
import { randomFloats, randomRows } from "../quant/random-weights.ts";
import { repackRows } from "../quant/repack-reference.ts";
import type { TestAdapter } from "./adapters.ts";

/** Elements before and after every output that no kernel may touch. */
const SENTINELS = 1024;
const SENTINEL = 0x7fdeadbe; // a NaN: whoever adds to it or reads it shows

/**
 * Most that a kernel's output may be off against float64 sums over exactly dequantized weights, as a fraction of the output's
 * energy. RELIABILITY asks for 1e-6; float32 sums of these lengths stay far below even this.
 */
export const MAX_NMSE = 1e-11;

/** Of the variants of mat-vec in f32, one for each way through the shaders; beside an adapter's own. */
export const MAT_VEC_VARIANTS = [
  ONE_SLICE,
  ...["8 x 8", "8 x 16 for 16", "4 x 32 for 8", "32 x 4"].map(
    (name) => PORTABLE.find((variant) => variant.name === name)!,
  ),
].map((variant) => [variant.name, variant] as const);

/** Those to be tried on an adapter: of the ones for GPUs one where each takes seconds. */
export function matVecVariantsOn({ compilesSlowly }: TestAdapter): typeof MAT_VEC_VARIANTS {
  return MAT_VEC_VARIANTS.filter(([name]) => !compilesSlowly || ["8 x 1", "8 x 16 for 16"].includes(name));
}

/** Of those with numbers of fewer bits, one of several slices and one of one. */
export const COMPACT_VARIANTS = [F16[0]!, INT8[0]!, ...Object.values(COMPACT_ON_CPU)].map(
  (variant) => [variant.name, variant] as const,
);

/** Skips the test where the device cannot run a variant: SwiftShader has no halves. */
export async function requireArithmetic(
  context: TestContext,
  adapter: TestAdapter,
  variant: MatVecVariant | undefined,
) {
  const { shaderF16 } = (await adapter.device()).adapter;
  context.skip(variant?.arithmetic === "f16" && !shaderF16, "the adapter does not compute with halves");
}

/** Of mat-vec or of mat-mul. */
type Compact = Pick<MatVecVariant, "arithmetic">;

/** Rows of x as the products of a variant have them. */
export function roundedFor(variant: Compact | undefined, x: Float32Array): Float32Array | Float64Array {
  return variant?.arithmetic === undefined ? x : roundX(variant.arithmetic, x);
}

/**
 * Most that a variant's output may be off against products with x as it is rounded: integers are exact, but of halves four are added
 * up, each time rounded by 2^-11 of a sum that is rarely larger than the last.
 */
export function maxNmse(variant: MatVecVariant | undefined): number {
  return variant?.arithmetic === "f16" ? 4 * 2 ** -22 : MAX_NMSE;
}

export interface TestMatrix {
  /** [rows, columns] */
  readonly weights: Float32Array;
  /** As a file holds them. */
  readonly bytes: Uint8Array;
  readonly planes: { quants: OwnedBuffer; extras: OwnedBuffer };
}

/** A random matrix, dequantized here and repacked on the device. */
export async function randomMatrix(
  device: Device,
  format: QuantFormat,
  rows: number,
  columns: number,
): Promise<TestMatrix> {
  const bytes = randomRows(format, rows, columns, rows * 7 + columns);
  const weights = new Float32Array(rows * columns);
  format.dequantize(bytes, weights);
  return { weights, bytes, planes: await uploadRows(device, format, bytes, columns) };
}

export async function uploadRows(device: Device, format: QuantFormat, bytes: Uint8Array, columns: number) {
  const { quants, extras } = repackRows(format, bytes, bytes.length / rowBytes(format, columns), columns);
  return { quants: await upload(device, quants), extras: await upload(device, extras) };
}

export async function upload(device: Device, data: ArrayBufferView): Promise<OwnedBuffer> {
  const buffer = await device.buffers.create({
    label: "test data",
    byteLength: data.byteLength,
    usage: USAGE.STORAGE | USAGE.UNIFORM | USAGE.COPY_DST,
  });
  if (data.byteLength > 0) device.buffers.write(buffer, data);
  return buffer;
}

export interface GuardedOutput {
  readonly binding: BufferBinding;
  /** The output's bits; fails when a sentinel has changed. */
  read(): Promise<Float32Array>;
}

/** Of kernels that are told by a uniform how many rows they have; as many may be wanted. */
export async function uploadStep(device: Device, rows: number): Promise<OwnedBuffer> {
  const usage = USAGE.UNIFORM | USAGE.COPY_DST;
  const buffer = await device.buffers.create({ label: "step", byteLength: 16, usage });
  device.buffers.write(buffer, Uint32Array.of(rows, rows, 0, 0));
  return buffer;
}

/** An output of `count` elements, filled with `initial` or with sentinels. The binding reaches over the sentinels behind. */
export async function guardedOutput(device: Device, count: number, initial?: Float32Array): Promise<GuardedOutput> {
  const words = new Uint32Array(count + 2 * SENTINELS).fill(SENTINEL);
  if (initial) new Float32Array(words.buffer).set(initial, SENTINELS);
  const buffer = await device.buffers.create({
    label: "guarded output",
    byteLength: words.byteLength,
    usage: USAGE.STORAGE | USAGE.COPY_SRC | USAGE.COPY_DST,
  });
  device.buffers.write(buffer, words);
  return {
    binding: { buffer: buffer.buffer, offset: SENTINELS * 4 },
    async read() {
      const readback = await createReadback(device, words.byteLength, 1);
      const recorder = record(device);
      const pending = readback.copy(recorder, buffer);
      recorder.submit();
      const bits = new Uint32Array(await pending.read());
      readback.dispose();
      buffer.free();
      const around = [...bits.subarray(0, SENTINELS), ...bits.subarray(SENTINELS + count)];
      expect(around.every((word) => word === SENTINEL)).toBe(true);
      return new Float32Array(bits.buffer, SENTINELS * 4, count);
    },
  };
}

/** True for an element that nobody wrote. */
export function isUntouched(values: Float32Array, index: number): boolean {
  return new Uint32Array(values.buffer, values.byteOffset)[index] === SENTINEL;
}

export function runOnce<Size>(device: Device, operation: Operation<Size>, size: Size): void {
  const recorder = record(device);
  recorder.run(operation, size);
  recorder.submit();
  operation.free();
}

/** Energy of the error over energy of the expected values. */
export function nmse(actual: Float32Array, expected: ArrayLike<number>): number {
  expect(actual.length).toBe(expected.length);
  let error = 0;
  let energy = 0;
  for (let i = 0; i < expected.length; i++) {
    error += (actual[i]! - expected[i]!) ** 2;
    energy += expected[i]! ** 2;
  }
  return error === 0 ? 0 : error / energy;
}

/** Rows and columns for a format: one row, around tiles, columns that leave part of a unit or of a group unfilled. */
export function shapesOf(format: QuantFormat): [rows: number, columns: number][] {
  const columns = { 1: [4, 36, 160], 32: [32, 96, 576], 256: [256, 768] }[format.blockLength]!;
  return [1, 31, 33, 100].map((rows, index) => [rows, columns[index % columns.length]!]);
}

/** The first and the last tile of a matrix, and those on both sides of where a grid over 65,535 tiles is folded in two. */
export function tilesAroundFold(rows: number): number[] {
  const tiles = Math.ceil(rows / ROW_TILE);
  return [0, Math.ceil(tiles / 2) - 1, Math.ceil(tiles / 2), tiles - 1];
}

/** A Q4_1 matrix on the device that is zero but for some tiles: large, and made in no time. */
export async function sparsePlanes(device: Device, rowCount: number, columns: number, tiles: readonly number[]) {
  const sizes = planeSizes(Q4_1, rowCount, columns);
  const usage = USAGE.STORAGE | USAGE.COPY_DST;
  const quants = await device.buffers.create({ label: "quants", byteLength: sizes.quantsBytes, usage });
  const extras = await device.buffers.create({ label: "extras", byteLength: sizes.extrasBytes, usage });
  const filled = tiles.map((tile) => {
    const rows = Math.min(ROW_TILE, rowCount - tile * ROW_TILE);
    const bytes = randomRows(Q4_1, rows, columns, tile);
    const planes = repackRows(Q4_1, bytes, rows, columns);
    device.buffers.write(quants, planes.quants, tile * planes.quants.byteLength);
    device.buffers.write(extras, planes.extras, tile * planes.extras.byteLength);
    const weights = new Float32Array(rows * columns);
    Q4_1.dequantize(bytes, weights);
    return { tile, weights };
  });
  return { quants, extras, filled };
}

/** What a kernel is given. */
interface SparseProduct {
  readonly format: QuantFormat;
  readonly columns: number;
  readonly rowCount: number;
  readonly planes: { readonly quants: BufferBinding; readonly extras: BufferBinding };
  readonly output: BufferBinding;
  readonly input: Float32Array;
}

/**
 * Products of a matrix, most of it zeros, with more tiles times rows of x than a grid is wide: `run` leaves the others' where they
 * belong.
 */
export async function expectAcrossFold(
  device: Device,
  run: (product: SparseProduct) => Promise<void>,
  expectedOf: (product: { input: Float32Array; weights: Float32Array; columns: number }) => Float64Array,
  rows = 1,
): Promise<void> {
  const columns = 32;
  const rowCount = Math.ceil((MAX_WORKGROUPS + 2) / rows) * ROW_TILE - 27;
  const { filled, ...planes } = await sparsePlanes(device, rowCount, columns, tilesAroundFold(rowCount));
  const input = randomFloats(rows * columns, 12);
  const output = await guardedOutput(device, rows * rowCount);
  await run({ format: Q4_1, columns, rowCount, planes, output: output.binding, input });
  const actual = await output.read();
  let written = 0;
  for (const { tile, weights } of filled) {
    const expected = expectedOf({ input, weights, columns });
    const width = expected.length / rows;
    for (let row = 0; row < rows; row++) {
      const first = row * rowCount + tile * ROW_TILE;
      const ofRow = expected.subarray(row * width, (row + 1) * width);
      expect(nmse(actual.slice(first, first + width), ofRow)).toBeLessThan(MAX_NMSE);
    }
    written += expected.length;
  }
  expect(actual.filter((value) => value !== 0).length).toBe(written);
}
