// Speed of the weight kernels on one adapter, on the shapes of a small model: best of several rounds, as the machine allows.
//   node scripts/run.mjs ../test/bench/weight-kernels lavapipe|swiftshader|NAME [FORMAT ...]
import { openDawn, yieldToAdapter } from "../../scripts/dawn.ts";
import { USAGE } from "../../src/gpu/buffers.ts";
import { openDevice } from "../../src/gpu/device.ts";
import { type Operation, prepare } from "../../src/gpu/kernel.ts";
import { record } from "../../src/gpu/recorder.ts";
import { matMul, matMulTiles } from "../../src/kernels/mat-mul.ts";
import { matVec } from "../../src/kernels/mat-vec.ts";
import { matVecGated } from "../../src/kernels/mat-vec-gated.ts";
import { matVecVariant } from "../../src/kernels/mat-vec-variant.ts";
import { SUPPORTED_FORMATS } from "../../src/quant/formats.ts";
import { repackRows } from "../../src/quant/repack.ts";
import { randomFloats, randomRows } from "../quant/random-weights.ts";

const ROWS = 1536;
const COLUMNS = 768; // 576 is no whole number of 256-weight blocks
const PREFILL_ROWS = 64;
const ROUNDS = 7;
const REPEATS = { vec: 20, mul: 4 };

export async function main([adapter, ...names]: string[]): Promise<void> {
  const dawn = await openDawn(adapter === undefined ? {} : { adapter });
  const device = await openDevice(dawn.gpu);
  yieldToAdapter();
  console.log(`${dawn.name}: ${ROWS} x ${COLUMNS}, ${PREFILL_ROWS} rows in mat-mul`);
  const upload = async (data: ArrayBufferView) => {
    const usage = USAGE.STORAGE | USAGE.UNIFORM | USAGE.COPY_DST;
    const buffer = await device.buffers.create({ label: "bench", byteLength: data.byteLength, usage });
    if (data.byteLength > 0) device.buffers.write(buffer, data);
    return buffer;
  };
  const input = await upload(randomFloats(PREFILL_ROWS * COLUMNS, 1));
  const output = await upload(new Float32Array(PREFILL_ROWS * ROWS));
  const step = await upload(Uint32Array.of(PREFILL_ROWS, 0, 0, 0));
  const params = { columns: COLUMNS, rowCount: ROWS, rowOffset: 0, biasOffset: 0, outStride: ROWS };
  const flags = { hasBias: 0, gather: 0 };
  const noNorm = { hasNorm: 0, epsilon: 0 };
  const variant = matVecVariant(device.adapter);

  /** Best seconds of one run, and how long the first took with its compilation. */
  async function time(operation: Operation<{ rows: number }>, rows: number, repeats: number) {
    let best = Number.POSITIVE_INFINITY;
    let first = 0;
    for (let round = 0; round <= ROUNDS; round++) {
      const start = performance.now();
      const recorder = record(device);
      for (let i = 0; i < (round === 0 ? 1 : repeats); i++) recorder.run(operation, { rows });
      recorder.submit();
      await device.gpu.queue.onSubmittedWorkDone();
      const seconds = (performance.now() - start) / 1000;
      if (round === 0) first = seconds;
      else best = Math.min(best, seconds / repeats);
    }
    operation.free();
    return { best, first };
  }

  for (const format of SUPPORTED_FORMATS) {
    if (names.length > 0 && !names.includes(format.name)) continue;
    const planes = repackRows(format, randomRows(format, ROWS, COLUMNS, 2), ROWS, COLUMNS);
    const bytes = planes.quants.byteLength + planes.extras.byteLength;
    const [quants, extras] = [await upload(planes.quants), await upload(planes.extras)];
    const shared = { prelude: format.prelude, label: format.name };
    const buffers = { input, quants, extras, bias: input, wanted: input, output };
    const vec = { ...shared, prelude: format.prelude + variant.prelude, directives: variant.directives };
    const tiles = { TILES: matMulTiles(device.adapter) };
    const all = { ...params, ...flags };
    const prepareVec = (rows: number) =>
      prepare(device, matVec, {
        ...vec,
        buffers: { ...buffers, squares: input, step },
        params: { ...all, ...noNorm },
        overrides: { SLICES: variant.slices, ROWS: rows },
      });
    const runs = {
      "mat-vec": [await prepareVec(1), 1],
      "mat-vec, 4": [await prepareVec(4), 4],
      "mat-vec-gated": [
        await prepare(device, matVecGated, {
          ...vec,
          buffers: { input, quants, extras, squares: input, step, output },
          params: { columns: COLUMNS, width: ROWS / 2, ...noNorm },
          overrides: { SLICES: variant.slices, ROWS: 1, ACTIVATION: 0 },
        }),
        1,
      ],
      "mat-mul": [
        await prepare(device, matMul, {
          ...shared,
          buffers: { ...buffers, step },
          params: { ...all, accumulate: 0 },
          overrides: tiles,
        }),
        PREFILL_ROWS,
      ],
    } as const;
    for (const [kernel, [operation, rows]] of Object.entries(runs)) {
      const { best, first } = await time(operation, rows, rows <= 4 ? REPEATS.vec : REPEATS.mul);
      const gigaflops = (2 * rows * ROWS * COLUMNS) / best / 1e9;
      const rate = `${gigaflops.toFixed(1)} GFLOPS, ${(bytes / best / 1e9).toFixed(1)} GB/s`;
      console.log(`${format.name.padEnd(5)}${kernel.padEnd(14)}${rate}; first run ${Math.round(first * 1000)} ms`);
    }
    quants.free();
    extras.free();
  }
  device.dispose();
}
