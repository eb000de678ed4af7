// Speed of the weight kernels on one adapter, in every variant that it can run, beside what it does at most: best of several
// rounds, as the machine allows. A GPU wants a shape that its caches cannot hold, such as 32768x4096.
//   node scripts/run.mjs ../test/bench/weight-kernels lavapipe|swiftshader|NAME [FORMAT ...] [--shape ROWSxCOLUMNS]
import { parseArgs } from "node:util";
import { openDawn } from "../../scripts/dawn.ts";
import { yieldToAdapter } from "../../scripts/yield-to-adapter.ts";
import { type OwnedBuffer, USAGE } from "../../src/gpu/buffers.ts";
import { type Device, openDevice } from "../../src/gpu/device.ts";
import { type Operation, prepare } from "../../src/gpu/kernel.ts";
import { matMul } from "../../src/kernels/mat-mul.ts";
import { matMulBroadcast4, matMulBroadcast8 } from "../../src/kernels/mat-mul-broadcast.ts";
import { matMulStaged } from "../../src/kernels/mat-mul-staged.ts";
import { matMulPrelude, matMulVariants } from "../../src/kernels/mat-mul-variant.ts";
import { type MatVecRows, matVec } from "../../src/kernels/mat-vec.ts";
import { matVecGated } from "../../src/kernels/mat-vec-gated.ts";
import { type MatVecVariant, matVecBuild, matVecVariants } from "../../src/kernels/mat-vec-variant.ts";
import type { QuantFormat } from "../../src/quant/format.ts";
import { SUPPORTED_FORMATS } from "../../src/quant/formats.ts";
import { seedsFor } from "../../src/runtime/tuning/seeds.ts";
import { randomFloats, randomRows } from "../quant/random-weights.ts";
import { repackRows } from "../quant/repack-reference.ts";
import { bestSeconds, measurePeaks } from "./peaks.ts";

const SHAPE = "1536x768"; // of a small model; 576 is no whole number of 256-weight blocks
/** Of x, in mat-mul. */
const PREFILL_ROWS = 64;
const PREFILL_ROWS_ON_GPU = 256;
const REPEATS = { few: 20, many: 4 };

interface Run {
  readonly name: string;
  /** Rows of x. */
  readonly rows: number;
  prepare(): Promise<Operation<{ rows: number }>>;
}

export async function main(args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options: { shape: { type: "string" } } });
  const [adapter, ...names] = positionals;
  const [rowCount, columns] = (values.shape ?? SHAPE).split("x").map(Number) as [number, number];
  const dawn = await openDawn(adapter === undefined ? {} : { adapter });
  const device = await openDevice(dawn.gpu);
  yieldToAdapter(dawn.name);
  const { copyPerSecond, flopsPerSecond } = await measurePeaks(device);
  console.log(`${dawn.name}: copies ${giga(copyPerSecond)} GB/s, multiplies and adds ${giga(flopsPerSecond)} GFLOPS`);
  const prefillRows = device.adapter.isFallback ? PREFILL_ROWS : PREFILL_ROWS_ON_GPU;
  console.log(`${rowCount} x ${columns}, ${prefillRows} rows in mat-mul`);

  for (const format of SUPPORTED_FORMATS) {
    if (names.length > 0 && !names.includes(format.name)) continue;
    const { runs, bytes, free } = await runsOf(device, format, rowCount, columns, prefillRows);
    for (const { name, rows, prepare: make } of runs) {
      const operation = await make();
      const { best, first } = await bestSeconds(device, operation, rows, rows <= 4 ? REPEATS.few : REPEATS.many);
      const [flops, read] = [(2 * rows * rowCount * columns) / best, bytes / best];
      const compute = `${giga(flops).padStart(7)} GFLOPS, ${share(flops, flopsPerSecond)}`;
      const memory = `${giga(read).padStart(7)} GB/s, ${share(read, copyPerSecond)}`;
      console.log(
        `${format.name.padEnd(5)}${name.padEnd(32)}${compute};${memory}; first ${Math.round(first * 1e3)} ms`,
      );
    }
    free();
  }
  device.dispose();
}

/** Every kernel in every variant, over one random matrix. */
async function runsOf(device: Device, format: QuantFormat, rowCount: number, columns: number, prefillRows: number) {
  const planes = repackRows(format, randomRows(format, rowCount, columns, 2), rowCount, columns);
  const data = [
    planes.quants,
    planes.extras,
    randomFloats(prefillRows * columns, 1),
    new Float32Array(prefillRows * rowCount),
    Uint32Array.of(prefillRows, 0, 0, 0),
  ];
  const owned: OwnedBuffer[] = [];
  for (const values of data) owned.push(await upload(device, values));
  const [quants, extras, input, output, step] = owned as [
    OwnedBuffer,
    OwnedBuffer,
    OwnedBuffer,
    OwnedBuffer,
    OwnedBuffer,
  ];
  // What its values are changes no time.
  const texture = await device.buffers.createTexture({ label: "rows", byteLength: prefillRows * columns * 4 });
  const buffers = { input, quants, extras, bias: input, wanted: input, step, output };
  const params = { columns, rowCount, rowOffset: 0, biasOffset: 0, outStride: rowCount, hasBias: 0, gather: 0 };
  const noNorm = { hasNorm: 0, epsilon: 0 };
  const label = format.name;

  const vec = (variant: MatVecVariant, rows: MatVecRows): Run => ({
    name: `mat-vec, ${variant.name}${rows === 1 ? "" : `, ${rows} rows`}`,
    rows,
    prepare: () =>
      prepare(device, matVec, {
        ...matVecBuild(format, variant, rows),
        label,
        buffers: { ...buffers, squares: input },
        params: { ...params, ...noNorm },
      }),
  });
  const gated = (variant: MatVecVariant): Run => ({
    name: `mat-vec-gated, ${variant.name}`,
    rows: 1,
    prepare() {
      const build = matVecBuild(format, variant, 1);
      return prepare(device, matVecGated, {
        ...build,
        label,
        buffers: { input, quants, extras, squares: input, step, output },
        params: { columns, width: rowCount / 2, ...noNorm },
        overrides: { ...build.overrides, ACTIVATION: 0 },
      });
    },
  });
  const vecVariants = matVecVariants({ ...device.adapter, precision: "fast" }, format);
  const runs: Run[] = [
    ...vecVariants.map((variant) => vec(variant, 1)),
    vec(seedsFor(device.adapter, { format, rows: rowCount }).matVec, 4),
    ...vecVariants.map(gated),
    ...matMulVariants({ ...device.adapter, precision: "fast" }, format).map(
      (variant): Run => ({
        name: `mat-mul, ${variant.name}`,
        rows: prefillRows,
        prepare() {
          const prelude = matMulPrelude(format, variant);
          const bound = { label, prelude, buffers, params: { ...params, accumulate: 0 }, overrides: {} };
          if (variant.kernel === "mat-mul") return prepare(device, matMul, { ...bound, overrides: variant.overrides });
          if (variant.kernel === "mat-mul-staged")
            return prepare(device, matMulStaged, { ...bound, overrides: variant.overrides });
          if (variant.lanes === 4) return prepare(device, matMulBroadcast4, bound);
          return prepare(device, matMulBroadcast8, { ...bound, buffers: { ...buffers, input: texture } });
        },
      }),
    ),
  ];
  const bytes = planes.quants.byteLength + planes.extras.byteLength;
  return { runs, bytes, free: () => [...owned, texture].forEach((each) => void each.free()) };
}

async function upload(device: Device, data: ArrayBufferView): Promise<OwnedBuffer> {
  const usage = USAGE.STORAGE | USAGE.UNIFORM | USAGE.COPY_DST;
  const buffer = await device.buffers.create({ label: "bench", byteLength: data.byteLength, usage });
  if (data.byteLength > 0) device.buffers.write(buffer, data);
  return buffer;
}

function giga(perSecond: number): string {
  return (perSecond / 1e9).toFixed(1);
}

function share(part: number, whole: number): string {
  return `${String(Math.round((100 * part) / whole)).padStart(3)} %`;
}
