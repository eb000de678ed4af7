// What is measured of Ingle itself, in Node and in a page alike: load, prefill, decode, and what a decoded token costs of its
// runtime; what callers feel of an engine on that runtime (requests.ts).
import { median } from "../../src/base/median.ts";
import { readGguf } from "../../src/gguf/gguf.ts";
import { type AdapterFacts, type Counters, openDevice } from "../../src/gpu/device.ts";
import { specOf } from "../../src/model/architectures/index.ts";
import { createGpuRuntime } from "../../src/runtime/gpu-runtime.ts";
import type { LoadTimes } from "../../src/runtime/load-progress.ts";
import type { RowWant, Runtime, SequenceId } from "../../src/runtime/runtime.ts";
import type { Tuner } from "../../src/runtime/tuning/tuner.ts";
import { compilePlan } from "../../src/sampling/plan.ts";
import { sample } from "../../src/sampling/sampler.ts";
import type { ByteSource } from "../../src/storage/byte-source.ts";
import { FIGURE, type LoadFigures, type RoundFigures, type RoundPlan, type TokenCost } from "./contender.ts";
import { openRequestBench } from "./requests.ts";
import { secondSession } from "./second-session.ts";

export interface Bench {
  readonly load: LoadFigures;
  round(plan: RoundPlan): Promise<RoundFigures>;
  dispose(): Promise<void>;
}

/** Tokens after the deepest prompt: what is decoded there, template and answers of a chat. */
const SPARE_TOKENS = 256;
const WARM_UP_PREFILL = 64; // drivers compile at the first dispatch
const WARM_UP_DECODE = 4;
const WARM_UP_STREAMS = 32; // kernels for several rows are compiled beside the first steps that have them
const HEAP_INTERVAL_MS = 5;

/**
 * @param plan the rounds that will be asked for
 * @param heapBytes the JS heap in use, buffers included
 */
export async function openBench(
  gpu: GPU,
  source: ByteSource,
  plan: RoundPlan,
  heapBytes: () => number,
): Promise<Bench> {
  const idleHeap = heapBytes();
  let peakHeap = idleHeap;
  const watch = setInterval(() => {
    peakHeap = Math.max(peakHeap, heapBytes());
  }, HEAP_INTERVAL_MS);
  const start = performance.now();
  const device = await openDevice(gpu);
  const model = await readGguf(source);
  let parts: LoadTimes | undefined;
  const load = (tuner?: Tuner) =>
    createGpuRuntime({
      device,
      model,
      spec: specOf(model),
      contextLength: Math.max(...plan.prefill, ...plan.depths, plan.turn, plan.edit) + SPARE_TOKENS,
      tuner,
      onLoaded: (times) => {
        parts ??= times;
      },
    });
  let runtime = await load();
  const loadMs = performance.now() - start;
  clearInterval(watch);
  if (!device.adapter.isFallback) {
    runtime.dispose();
    runtime = await load(await secondSession(load));
  }

  // Recording ends where the submission begins: in Node that is the driver's own work already, in this process.
  let submittedAt = 0;
  const submit = device.gpu.queue.submit.bind(device.gpu.queue);
  device.gpu.queue.submit = (commands) => {
    submittedAt = performance.now();
    submit(commands);
  };

  const requests = await openRequestBench(runtime, source);
  /** By depth, so that what lies before it is computed once. */
  const deep = new Map<number, SequenceId>();
  const decodeAt = async (depth: number, tokens: number) => {
    const sequence = deep.get(depth) ?? runtime.open();
    if (!deep.has(depth)) {
      deep.set(depth, sequence);
      await prefill(runtime, sequence, depth);
    }
    const rate = await decodeRate(runtime, sequence, tokens, device.counters, () => submittedAt);
    await runtime.rewind(sequence, depth);
    return rate;
  };
  await prefillRate(runtime, WARM_UP_PREFILL);
  await decodeAt(SHALLOW, WARM_UP_DECODE);
  await requests.streams(plan.streams, WARM_UP_STREAMS);

  return {
    load: {
      adapter: adapterName(device.adapter),
      features: [...device.features],
      loadMs,
      ...(parts && { parts }),
      peakHeapBytes: Math.max(0, peakHeap - idleHeap),
    },
    async round({ prefill, decode, depths, streams, turn, edit }) {
      const figures: Record<string, number> = {};
      for (const tokens of prefill) figures[FIGURE.prefill(tokens)] = await prefillRate(runtime, tokens);
      for (const tokens of prefill) figures[FIGURE.firstToken(tokens)] = await requests.firstToken(tokens);
      let perToken: TokenCost | undefined;
      for (const depth of [0, ...depths]) {
        const rate = await decodeAt(depth === 0 ? SHALLOW : depth, decode);
        figures[FIGURE.decode(depth)] = rate.perSecond;
        perToken ??= rate.perToken;
      }
      for (const count of [1, streams]) figures[FIGURE.streams(count)] = await requests.streams(count, decode);
      const edited = await requests.edit(edit);
      figures[FIGURE.plain(edit)] = edited.plain;
      figures[FIGURE.predicted(edit)] = edited.predicted;
      const turns = await requests.turns(turn);
      figures[FIGURE.firstTurn(turn)] = turns.first;
      figures[FIGURE.secondTurn] = turns.second;
      return { figures, ...(perToken && { perToken }) };
    },
    async dispose() {
      await requests.dispose();
      device.dispose();
    },
  };
}

/** Tokens before those that are decoded "at 0": something has to come first. */
const SHALLOW = 8;

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

async function prefill(runtime: Runtime, sequence: SequenceId, tokens: number): Promise<void> {
  const ids = Array.from({ length: tokens }, (_, index) => 1000 + ((index * 7919) % 30_000));
  const rows = runtime.info.maxRows.prefill;
  for (let from = 0; from < tokens; from += rows) {
    const want = from + rows >= tokens ? ({ logits: true, at: "last" } as const) : "none";
    const input = { ids: ids.slice(from, from + rows) };
    await runtime.step({ stage: "prefill", rows: [{ sequence, input, want }] });
  }
}

/** Greedy decoding after what the sequence holds, sampled where the runtime does it best. */
async function decodeRate(
  runtime: Runtime,
  sequence: SequenceId,
  tokens: number,
  counters: Counters,
  submittedAt: () => number,
): Promise<{ perSecond: number; perToken: TokenCost }> {
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
  const onGpu = plan.steps.every(({ name }) => runtime.info.samplingSteps.includes(name));
  const history = { prompt: [], sampled: [] };
  const want: RowWant = onGpu ? "sample" : { logits: true, at: "last" };
  let token = 1000;
  const before = { ...counters };
  const recordMs: number[] = [];
  const sampleMs: number[] = [];
  const start = performance.now();
  for (let count = 0; count < tokens; count++) {
    const stepStart = performance.now();
    const row = { sequence, input: { ids: [token] }, want, plan, history };
    const { rows } = await runtime.step({ stage: "decode", rows: [row] });
    recordMs.push(submittedAt() - stepStart);
    const sampleStart = performance.now();
    ({ token } = rows[0]!.tokens?.[0] ?? sample(rows[0]!.logits![0]!, plan, history));
    sampleMs.push(performance.now() - sampleStart);
  }
  const seconds = (performance.now() - start) / 1000;
  const made = (names: readonly (keyof Counters)[]) =>
    names.reduce((sum, name) => sum + counters[name] - before[name], 0) / tokens;
  return {
    perSecond: tokens / seconds,
    perToken: {
      dispatches: made(["dispatches"]),
      passes: made(["passes"]),
      submits: made(["submits"]),
      objects: made(["buffers", "bindGroups", "pipelines", "layouts"]),
      readBytes: made(["readBytes"]),
      recordMs: median(recordMs),
      sampleMs: median(sampleMs),
    },
  };
}
