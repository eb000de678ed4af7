// What an adapter can do at most, measured: bytes moved by a kernel that only copies, and fused multiply-adds of one that does
// nothing else. Kernels of the engine are held against these, since data sheets know neither the browser nor the driver.
import { USAGE } from "../../src/gpu/buffers.ts";
import type { Device } from "../../src/gpu/device.ts";
import { defineKernel, type Operation, prepare } from "../../src/gpu/kernel.ts";
import { record } from "../../src/gpu/recorder.ts";

const WORKGROUP = 64;
/** Far more than the caches of most GPUs hold. */
const COPY_BYTES = 128 << 20;
const COPY_BYTES_ON_CPU = 32 << 20;
const FMA_THREADS = 1 << 19;
const FMA_THREADS_ON_CPU = 1 << 12;
const FMA_ROUNDS = 256;
/** Of a thread in each round: 8 chains of 4 components, so that none waits for its own last result, one fma each. */
const FLOPS_PER_ROUND = 8 * 4 * 2;

const copy = defineKernel({
  name: "copy",
  source: `
struct Params { count: u32 }
@group(0) @binding(0) var<storage, read> input: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> output: array<vec4<u32>>;
@group(0) @binding(2) var<uniform> params: Params;
@compute @workgroup_size(${WORKGROUP})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let i = (group.x + group.z * groups.x) * ${WORKGROUP}u + thread;
  if (i < params.count) {
    output[i] = input[i];
  }
}`,
  bindings: { input: "read", output: "read_write" },
  params: { count: "u32" },
  overrides: {},
  grid: (_: { rows: number }, { params }) => [Math.ceil(params.count / WORKGROUP)],
});

const multiplyAdd = defineKernel({
  name: "multiply-add",
  source: `
struct Params { threads: u32, rounds: u32, factor: f32, term: f32 }
@group(0) @binding(0) var<storage, read_write> output: array<vec4<f32>>;
@group(0) @binding(1) var<uniform> params: Params;
@compute @workgroup_size(${WORKGROUP})
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let factor = vec4<f32>(params.factor);
  let term = vec4<f32>(params.term, 1.0, 2.0, 3.0);
  var a = vec4<f32>(f32(id.x));
  var b = a + 1.0;
  var c = a + 2.0;
  var d = a + 3.0;
  var e = a + 4.0;
  var f = a + 5.0;
  var g = a + 6.0;
  var h = a + 7.0;
  for (var i = 0u; i < params.rounds; i++) {
    a = fma(a, factor, term);
    b = fma(b, factor, term);
    c = fma(c, factor, term);
    d = fma(d, factor, term);
    e = fma(e, factor, term);
    f = fma(f, factor, term);
    g = fma(g, factor, term);
    h = fma(h, factor, term);
  }
  output[id.x] = ((a + b) + (c + d)) + ((e + f) + (g + h));
}`,
  bindings: { output: "read_write" },
  params: { threads: "u32", rounds: "u32", factor: "f32", term: "f32" },
  overrides: {},
  grid: (_: { rows: number }, { params }) => [params.threads / WORKGROUP],
});

export interface Peaks {
  /** Bytes read and written. */
  readonly copyPerSecond: number;
  /** A fused multiply-add counts as two. */
  readonly flopsPerSecond: number;
}

export async function measurePeaks(device: Device): Promise<Peaks> {
  const { isFallback } = device.adapter;
  const byteLength = isFallback ? COPY_BYTES_ON_CPU : COPY_BYTES;
  const threads = isFallback ? FMA_THREADS_ON_CPU : FMA_THREADS;
  const make = (bytes: number) =>
    device.buffers.create({ label: "peak", byteLength: bytes, usage: USAGE.STORAGE | USAGE.COPY_DST });
  const [input, output] = [await make(byteLength), await make(byteLength)];
  const results = await make(threads * 16);
  const copying = await prepare(device, copy, {
    label: "copy",
    buffers: { input, output },
    params: { count: byteLength / 16 },
    overrides: {},
  });
  const adding = await prepare(device, multiplyAdd, {
    label: "multiply-add",
    buffers: { output: results },
    params: { threads, rounds: FMA_ROUNDS, factor: 0.5, term: 0.25 },
    overrides: {},
  });
  const peaks = {
    copyPerSecond: (2 * byteLength) / (await bestSeconds(device, copying, 1, 4)).best,
    flopsPerSecond: (threads * FMA_ROUNDS * FLOPS_PER_ROUND) / (await bestSeconds(device, adding, 1, 4)).best,
  };
  for (const buffer of [input, output, results]) buffer.free();
  return peaks;
}

const ROUNDS = 7;
/** Of a round on a GPU at least, so that submitting and waiting count for little. */
const ROUND_SECONDS = 0.01;
const MOST_REPEATS = 2000;

/**
 * Best seconds of one run over several rounds of `repeats` runs, on a GPU of more where they are short; and how long the first
 * took with what it compiles.
 */
export async function bestSeconds(
  device: Device,
  operation: Operation<{ rows: number }>,
  rows: number,
  repeats: number,
): Promise<{ best: number; first: number }> {
  let best = Number.POSITIVE_INFINITY;
  const run = async (times: number) => {
    const start = performance.now();
    const recorder = record(device);
    for (let i = 0; i < times; i++) recorder.run(operation, { rows });
    recorder.submit();
    await device.gpu.queue.onSubmittedWorkDone();
    return (performance.now() - start) / 1000;
  };
  const first = await run(1);
  let times = repeats;
  if (!device.adapter.isFallback) {
    const each = (await run(repeats)) / repeats;
    times = Math.min(MOST_REPEATS, Math.max(repeats, Math.ceil(ROUND_SECONDS / each)));
  }
  for (let round = 0; round < ROUNDS; round++) best = Math.min(best, (await run(times)) / times);
  operation.free();
  return { best, first };
}
