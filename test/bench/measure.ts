// What is measured of Ingle itself, in Node and in a page alike: load, prefill, decode, and what a decoded token costs.
import { readGguf } from "../../src/gguf/gguf.ts";
import { type AdapterFacts, type Counters, openDevice } from "../../src/gpu/device.ts";
import { specOf } from "../../src/model/architectures/index.ts";
import { createGpuRuntime } from "../../src/runtime/gpu-runtime.ts";
import type { Runtime, SequenceId } from "../../src/runtime/runtime.ts";
import { compilePlan } from "../../src/sampling/plan.ts";
import { sample } from "../../src/sampling/sampler.ts";
import type { ByteSource } from "../../src/storage/byte-source.ts";
import type { LoadFigures, RoundFigures, RoundPlan, TokenCost } from "./contender.ts";

export interface Bench {
  readonly load: LoadFigures;
  round(plan: RoundPlan): Promise<RoundFigures>;
  dispose(): void;
}

const CONTEXT_LENGTH = 1024;
const WARM_UP: RoundPlan = { prefill: [64], decode: 4 }; // drivers compile at the first dispatch
const HEAP_INTERVAL_MS = 5;

/** @param heapBytes the JS heap in use, buffers included */
export async function openBench(gpu: GPU, source: ByteSource, heapBytes: () => number): Promise<Bench> {
  const idleHeap = heapBytes();
  let peakHeap = idleHeap;
  const watch = setInterval(() => {
    peakHeap = Math.max(peakHeap, heapBytes());
  }, HEAP_INTERVAL_MS);
  const start = performance.now();
  const device = await openDevice(gpu);
  const model = await readGguf(source);
  const runtime = await createGpuRuntime({ device, model, spec: specOf(model), contextLength: CONTEXT_LENGTH });
  const loadMs = performance.now() - start;
  clearInterval(watch);

  // Recording ends with the submission; what comes after is waiting.
  let submittedAt = 0;
  const submit = device.gpu.queue.submit.bind(device.gpu.queue);
  device.gpu.queue.submit = (commands) => {
    submit(commands);
    submittedAt = performance.now();
  };

  const round = async (plan: RoundPlan): Promise<RoundFigures> => {
    const prefill: RoundFigures["prefill"] = [];
    for (const tokens of plan.prefill) prefill.push({ tokens, perSecond: await prefillRate(runtime, tokens) });
    const decoded = await decodeRate(runtime, plan.decode, device.counters, () => submittedAt);
    return { prefill, ...decoded };
  };
  await round(WARM_UP);
  return {
    load: {
      adapter: adapterName(device.adapter),
      features: [...device.features],
      loadMs,
      peakHeapBytes: Math.max(0, peakHeap - idleHeap),
    },
    round,
    dispose() {
      runtime.dispose();
      device.dispose();
    },
  };
}

function adapterName({ description, vendor, architecture }: AdapterFacts): string {
  return description || [vendor, architecture].filter((part) => part !== "").join(" ");
}

/** Tokens per second over an empty sequence; only the last row's logits are read. */
async function prefillRate(runtime: Runtime, tokens: number): Promise<number> {
  const sequence = runtime.open();
  const start = performance.now();
  await prefill(runtime, sequence, tokens);
  const seconds = (performance.now() - start) / 1000;
  runtime.free(sequence);
  return tokens / seconds;
}

async function prefill(runtime: Runtime, sequence: SequenceId, tokens: number): Promise<Float32Array> {
  const ids = Array.from({ length: tokens }, (_, index) => 1000 + ((index * 7919) % 30_000));
  const rows = runtime.info.maxRows.prefill;
  let logits: Float32Array | undefined;
  for (let from = 0; from < tokens; from += rows) {
    const want = from + rows >= tokens ? ({ logits: true, at: "last" } as const) : "none";
    const input = { ids: ids.slice(from, from + rows) };
    const result = await runtime.step({ stage: "prefill", rows: [{ sequence, input, want }] });
    logits = result.rows[0]!.logits?.[0];
  }
  return logits!;
}

/** Greedy decoding after a short prompt, sampled on the CPU as the engine does. */
async function decodeRate(
  runtime: Runtime,
  tokens: number,
  counters: Counters,
  submittedAt: () => number,
): Promise<{ decodePerSecond: number; perToken: TokenCost }> {
  const plan = compilePlan({
    temperature: 0,
    topP: 1,
    frequencyPenalty: 0,
    presencePenalty: 0,
    repetitionPenalty: 1,
    logitBias: new Map(),
    seed: 0n,
    choice: 0,
  });
  const sequence = runtime.open();
  let logits = await prefill(runtime, sequence, 8);
  const before = { ...counters };
  let recordMs = 0;
  let sampleMs = 0;
  const start = performance.now();
  for (let count = 0; count < tokens; count++) {
    const sampleStart = performance.now();
    const { token } = sample(logits, plan, { prompt: [], sampled: [] });
    const stepStart = performance.now();
    sampleMs += stepStart - sampleStart;
    const row = { sequence, input: { ids: [token] }, want: { logits: true, at: "last" } } as const;
    const result = await runtime.step({ stage: "decode", rows: [row] });
    recordMs += submittedAt() - stepStart;
    logits = result.rows[0]!.logits![0]!;
  }
  const seconds = (performance.now() - start) / 1000;
  runtime.free(sequence);
  const made = (names: readonly (keyof Counters)[]) =>
    names.reduce((sum, name) => sum + counters[name] - before[name], 0) / tokens;
  return {
    decodePerSecond: tokens / seconds,
    perToken: {
      dispatches: made(["dispatches"]),
      passes: made(["passes"]),
      submits: made(["submits"]),
      objects: made(["buffers", "bindGroups", "pipelines", "layouts"]),
      recordMs: recordMs / tokens,
      sampleMs: sampleMs / tokens,
    },
  };
}
