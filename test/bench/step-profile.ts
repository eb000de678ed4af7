// Where a step spends its time: its dispatches are caught as they are recorded, then each kind is replayed alone.
// Beside the time on the clock stands that of the process's other threads on all cores, which on a CPU adapter is the kernels'
// own and hardly moves when the machine is busy with other things. (Linux only.)
//   node scripts/run.mjs ../test/bench/step-profile lavapipe|swiftshader|NAME [decode|prefill [ROWS [DEPTH [MODEL]]]]
// ROWS: sequences in decode, tokens of one sequence in prefill (one segment at most).
import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { openDawn } from "../../scripts/dawn.ts";
import { DEFAULT_MODEL_PATH } from "../../scripts/default-model.ts";
import { openFileSource } from "../../scripts/file-source.ts";
import { yieldToAdapter } from "../../scripts/yield-to-adapter.ts";
import { median } from "../../src/base/median.ts";
import { readGguf } from "../../src/gguf/gguf.ts";
import { openDevice } from "../../src/gpu/device.ts";
import { specOf } from "../../src/model/architectures/index.ts";
import { createGpuRuntime } from "../../src/runtime/gpu-runtime.ts";
import type { Runtime, SequenceId } from "../../src/runtime/runtime.ts";
import type { Tuner } from "../../src/runtime/tuning/tuner.ts";
import { secondSession } from "./second-session.ts";

const ROUNDS = 5;
const STEPS = 16;
const REPLAYS = 50;
/** Kernels for several rows are compiled beside the first steps that have them. */
const WARM_UP_MS = 2000;
/** Enough to tune all classes. */
const TIMING_MS = 10_000;
const CONTEXT_LENGTH = 1024;

export async function main(args: string[]): Promise<void> {
  const [adapter, stage = "decode", rows = stage === "decode" ? "1" : "32", depth = "64", path = DEFAULT_MODEL_PATH] =
    args;
  const dawn = await openDawn(adapter === undefined ? {} : { adapter });
  const device = await openDevice(dawn.gpu);
  const model = await readGguf(await openFileSource(path));
  const load = (tuner?: Tuner) =>
    createGpuRuntime({ device, model, spec: specOf(model), contextLength: CONTEXT_LENGTH, tuner });
  const runtime = await load(
    device.adapter.isFallback ? undefined : await secondSession(load, { timingMs: TIMING_MS }),
  );
  yieldToAdapter(dawn.name);
  const sequences: SequenceId[] = [];
  for (let row = 0; row < (stage === "decode" ? Number(rows) : 1); row++) {
    const sequence = runtime.open();
    sequences.push(sequence);
    await prefill(runtime, sequence, 0, Number(depth));
  }
  const run =
    stage === "decode"
      ? () => decode(runtime, sequences)
      : async () => {
          await runtime.rewind(sequences[0]!, Number(depth));
          await prefill(runtime, sequences[0]!, Number(depth), Number(rows));
        };
  for (const end = performance.now() + WARM_UP_MS; performance.now() < end; ) await run();

  const step = await timed(STEPS, run);
  console.log(`${dawn.name}: ${stage} of ${rows} rows at depth ${depth}: ${figures(step)} a step`);

  const dispatches = await caught(device.gpu, run);
  const kinds = new Map<string, Dispatch[]>();
  for (const dispatch of dispatches) {
    const name = `${dispatch.pipeline.label} ${dispatch.bindGroup.label.replace(/^blk\.\d+\.|\d+/, "")}`;
    kinds.set(name, [...(kinds.get(name) ?? []), dispatch]);
  }
  // A GPU is done before its result is told of: there the same dispatches are run again and again.
  const times = device.adapter.isFallback ? 1 : REPLAYS;
  const replay = async (list: readonly Dispatch[]): Promise<Time> => {
    const { clockMs, threadsMs } = await timed(ROUNDS, async () => {
      const encoder = device.gpu.createCommandEncoder();
      const pass = encoder.beginComputePass();
      for (let time = 0; time < times; time++) {
        for (const { pipeline, bindGroup, offsets, grid } of list) {
          pass.setPipeline(pipeline);
          pass.setBindGroup(0, bindGroup, offsets);
          pass.dispatchWorkgroups(...grid);
        }
      }
      pass.end();
      device.gpu.queue.submit([encoder.finish()]);
      await device.gpu.queue.onSubmittedWorkDone();
    });
    return { clockMs: clockMs / times, threadsMs: threadsMs / times };
  };
  for (const [name, list] of kinds) {
    console.log(`${figures(await replay(list))}  ${list.length} x ${name}, ${list[0]!.grid.join(" x ")}`);
  }
  console.log(`${figures(await replay(dispatches))}  all ${dispatches.length}`);
  runtime.dispose();
  device.dispose();
}

interface Time {
  readonly clockMs: number;
  readonly threadsMs: number;
}

/** Medians over `rounds` runs, after one that does not count. */
async function timed(rounds: number, run: () => Promise<unknown>): Promise<Time> {
  const times: Time[] = [];
  for (let round = 0; round <= rounds; round++) {
    const [clock, threads] = [performance.now(), otherThreadsMs()];
    await run();
    times.push({ clockMs: performance.now() - clock, threadsMs: otherThreadsMs() - threads });
  }
  const counted = times.slice(1);
  return {
    clockMs: median(counted.map(({ clockMs }) => clockMs)),
    threadsMs: median(counted.map(({ threadsMs }) => threadsMs)),
  };
}

function figures({ clockMs, threadsMs }: Time): string {
  return `${clockMs.toFixed(3).padStart(9)} ms, ${threadsMs.toFixed(3).padStart(9)} ms of threads`;
}

/** Time that all threads but the first have spent on a core. */
function otherThreadsMs(): number {
  const folder = "/proc/self/task";
  const others = readdirSync(folder).filter((thread) => thread !== String(process.pid));
  return others.reduce(
    (sum, thread) => sum + Number(readFileSync(`${folder}/${thread}/schedstat`, "utf8").split(" ")[0]) / 1e6,
    0,
  );
}

interface Dispatch {
  readonly pipeline: GPUComputePipeline;
  readonly bindGroup: GPUBindGroup;
  readonly offsets: number[];
  readonly grid: readonly [x: number, y?: GPUSize32 | undefined, z?: GPUSize32 | undefined];
}

/** The dispatches that `run` records. */
async function caught(gpu: GPUDevice, run: () => Promise<unknown>): Promise<Dispatch[]> {
  const dispatches: Dispatch[] = [];
  const create = gpu.createCommandEncoder.bind(gpu);
  gpu.createCommandEncoder = (descriptor) => {
    const encoder = create(descriptor);
    const begin = encoder.beginComputePass.bind(encoder);
    encoder.beginComputePass = (options) => {
      const pass = begin(options);
      let pipeline: GPUComputePipeline;
      let bindGroup: GPUBindGroup;
      let offsets: number[] = [];
      const { setPipeline, setBindGroup, dispatchWorkgroups } = {
        setPipeline: pass.setPipeline.bind(pass),
        setBindGroup: pass.setBindGroup.bind(pass),
        dispatchWorkgroups: pass.dispatchWorkgroups.bind(pass),
      };
      pass.setPipeline = (next) => {
        pipeline = next;
        setPipeline(next);
      };
      pass.setBindGroup = (index: number, next: GPUBindGroup | null | undefined, dynamic?: Iterable<number>) => {
        bindGroup = next!;
        offsets = [...(dynamic ?? [])];
        setBindGroup(index, next, offsets);
      };
      pass.dispatchWorkgroups = (...grid) => {
        dispatches.push({ pipeline, bindGroup, offsets, grid });
        dispatchWorkgroups(...grid);
      };
      return pass;
    };
    return encoder;
  };
  await run();
  gpu.createCommandEncoder = create;
  return dispatches;
}

async function prefill(runtime: Runtime, sequence: SequenceId, start: number, tokens: number): Promise<void> {
  const end = start + tokens;
  for (let from = start; from < end; from += runtime.info.maxRows.prefill) {
    const length = Math.min(runtime.info.maxRows.prefill, end - from);
    const ids = Array.from({ length }, (_, index) => 1000 + (((from + index) * 7919) % 30_000));
    await runtime.step({ stage: "prefill", rows: [{ sequence, input: { ids }, want: "none" }] });
  }
}

function decode(runtime: Runtime, sequences: readonly SequenceId[]): Promise<unknown> {
  const want = { logits: true, at: "last" } as const;
  const rows = sequences.map((sequence, index) => ({ sequence, input: { ids: [1000 + index] }, want }));
  return runtime.step({ stage: "decode", rows });
}
