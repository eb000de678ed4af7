// Runs one kernel once over plain arrays, for parity tables. Every writable buffer ends in sentinels that must survive.
import type { OwnedBuffer } from "../../src/gpu/buffers.ts";
import { USAGE } from "../../src/gpu/buffers.ts";
import type { Device } from "../../src/gpu/device.ts";
import type { Access, Kernel, OverrideType, OverrideValues, ParamValues, ScalarType } from "../../src/gpu/kernel.ts";
import { type PrepareOptions, prepare } from "../../src/gpu/kernel.ts";
import { createReadback } from "../../src/gpu/readback.ts";
import { record } from "../../src/gpu/recorder.ts";

const SENTINELS = 1024;
const SENTINEL = 0xdead_beef;

export type KernelData = Float32Array | Uint32Array;

/**
 * `data` has the contents of every binding; the result has those of the writable ones after the run.
 * @throws Error when a sentinel was overwritten, or WebGPU reports an error
 */
export async function runKernel<
  B extends Readonly<Record<string, Access>>,
  P extends Readonly<Record<string, ScalarType>>,
  O extends Readonly<Record<string, OverrideType>>,
  Size,
>(
  device: Device,
  kernel: Kernel<B, P, O, Size>,
  run: {
    data: { readonly [Name in keyof B]: KernelData };
    params: ParamValues<P>;
    overrides: OverrideValues<O>;
    size: Size;
    prelude?: string;
  },
): Promise<{ [Name in keyof B]: Float32Array }> {
  const owned: OwnedBuffer[] = [];
  device.gpu.pushErrorScope("validation");
  try {
    const buffers = {} as { [Name in keyof B]: OwnedBuffer };
    for (const name of Object.keys(kernel.bindings) as (keyof B & string)[]) {
      const contents = run.data[name];
      const writable = kernel.bindings[name] === "read_write";
      const words = new Uint32Array(Math.ceil(contents.length / 4) * 4 + (writable ? SENTINELS : 0)).fill(SENTINEL);
      words.set(new Uint32Array(contents.buffer, contents.byteOffset, contents.length));
      const kind = kernel.bindings[name] === "uniform" ? USAGE.UNIFORM : USAGE.STORAGE;
      const usage = kind | USAGE.COPY_SRC | USAGE.COPY_DST;
      const buffer = await device.buffers.create({ label: name, byteLength: words.byteLength, usage });
      owned.push(buffer);
      device.buffers.write(buffer, words);
      buffers[name] = buffer;
    }
    const operation = await prepare(device, kernel, {
      label: kernel.name,
      ...run,
      buffers: buffers as unknown as PrepareOptions<B, P, O>["buffers"],
    });
    const recorder = record(device);
    recorder.run(operation, run.size);
    const results = {} as { [Name in keyof B]: Float32Array };
    const reads: Promise<void>[] = [];
    const starts: (() => void)[] = [];
    for (const name of Object.keys(kernel.bindings) as (keyof B & string)[]) {
      if (kernel.bindings[name] !== "read_write") continue;
      const { byteLength } = buffers[name];
      const readback = await createReadback(device, byteLength, 1);
      const pending = readback.copy(recorder, buffers[name]);
      starts.push(() => {
        reads.push(
          pending.read().then((bytes) => {
            readback.dispose();
            const { length } = run.data[name];
            const tail = new Uint32Array(bytes).subarray(length);
            const broken = tail.findIndex((word) => word !== SENTINEL);
            if (broken >= 0) throw new Error(`${kernel.name} wrote ${name}[${length + broken}], past its ${length}`);
            results[name] = new Float32Array(bytes, 0, length);
          }),
        );
      });
    }
    recorder.submit();
    for (const start of starts) start();
    const error = await device.gpu.popErrorScope();
    if (error) throw new Error(error.message);
    await Promise.all(reads);
    operation.free();
    return results;
  } finally {
    for (const buffer of owned) buffer.free();
  }
}

/** Normalized mean squared error: |actual - expected|^2 / |expected|^2. A value that is not finite makes it infinite. */
export function nmse(actual: Float32Array, expected: Float32Array): number {
  let difference = 0;
  let size = 0;
  for (let index = 0; index < expected.length; index++) {
    if (!Number.isFinite(actual[index])) return Number.POSITIVE_INFINITY;
    difference += (actual[index]! - expected[index]!) ** 2;
    size += expected[index]! ** 2;
  }
  return actual.length === expected.length ? difference / Math.max(size, 1e-30) : Number.POSITIVE_INFINITY;
}

/** Numbers that look normal: repeatable, from a 32-bit generator (mulberry32). */
export function gaussians(length: number, seed: number, scale = 1): Float32Array {
  let state = seed;
  const uniform = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return Float32Array.from({ length }, () => {
    const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
    return scale * radius * Math.cos(2 * Math.PI * uniform());
  });
}

/** Packs f16-representable numbers in pairs, as KV pages hold them. */
export function packHalves(values: Float32Array): Uint32Array {
  const words = new Uint32Array(values.length / 2);
  for (let index = 0; index < values.length; index++) {
    words[index >> 1]! |= halfBits(values[index]!) << (16 * (index & 1));
  }
  return words;
}

export function unpackHalves(words: Uint32Array): Float32Array {
  return Float32Array.from({ length: words.length * 2 }, (_, index) => {
    const bits = (words[index >> 1]! >>> (16 * (index & 1))) & 0xffff;
    const exponent = (bits >> 10) & 31;
    const size = exponent === 0 ? (bits & 1023) * 2 ** -24 : (1 + (bits & 1023) / 1024) * 2 ** (exponent - 15);
    return bits & 0x8000 ? -size : size;
  });
}

function halfBits(value: number): number {
  if (Number.isNaN(value)) return 0x7e00;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (size < 2 ** -14) return sign | Math.round(size * 2 ** 24);
  const exponent = Math.floor(Math.log2(size));
  return sign | ((exponent + 15) << 10) | ((size * 2 ** (10 - exponent)) & 1023);
}
