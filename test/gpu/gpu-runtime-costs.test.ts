// What a GPU runtime may cost: objects, dispatches, bytes held on both sides, whatever the model's size or the binding limit.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { listCpuDrivers } from "../../scripts/dawn.ts";
import { readModel } from "../../src/gguf/model-file.ts";
import type { Counters, Device } from "../../src/gpu/device.ts";
import { specOf } from "../../src/model/architectures/index.ts";
import { planMemory } from "../../src/runtime/gpu-memory.ts";
import { createGpuRuntime, type GpuRuntimeOptions } from "../../src/runtime/gpu-runtime.ts";
import type { Row, Runtime, SequenceId, StepId } from "../../src/runtime/runtime.ts";
import { compilePlan } from "../../src/sampling/plan.ts";
import { type ByteSource, memorySource } from "../../src/storage/byte-source.ts";
import { PLAIN_MODEL, TOKENS } from "../conformance/models.ts";
import { writeGguf } from "../fixtures/gguf-writer.ts";
import { tinyModel, tinyModelParts, tinySplitModel } from "../fixtures/tiny-models.ts";
import { options } from "../sampling/options.ts";
import { describeAdapters } from "./adapters.ts";

const LAST = { logits: true, at: "last" } as const;

async function load(
  device: Device,
  files: readonly ByteSource[],
  options: Partial<GpuRuntimeOptions> = {},
): Promise<Runtime> {
  const model = await readModel({ files });
  return createGpuRuntime({ device, model, spec: specOf(model), contextLength: 64, ...options });
}

async function prefill(runtime: Runtime, sequence: SequenceId, ids: readonly number[]): Promise<Float32Array> {
  const result = await runtime.step({ stage: "prefill", rows: [{ sequence, input: { ids }, want: LAST }] });
  return result.rows[0]!.logits![0]!;
}

async function decode(runtime: Runtime, sequence: SequenceId, id: number): Promise<Float32Array> {
  const result = await runtime.step({ stage: "decode", rows: [{ sequence, input: { ids: [id] }, want: LAST }] });
  return result.rows[0]!.logits![0]!;
}

function difference(after: Counters, before: Counters): Counters {
  const names = Object.keys(after) as (keyof Counters)[];
  return Object.fromEntries(names.map((name) => [name, after[name] - before[name]])) as unknown as Counters;
}

describeAdapters("GPU runtime's costs", (adapter) => {
  test.each([
    [10, 6],
    [300, 7], // beyond one chunk of keys, attention merges its chunks
  ])(
    "a decode step at %i tokens is one pass, one submit, one write and %i dispatches a layer, and makes no object",
    async (length, perLayer) => {
      const device = await adapter.device();
      const model = memorySource(tinyModel({ ...PLAIN_MODEL, layerCount: 3, contextLength: 512 }));
      const runtime = await load(device, [model], { contextLength: 512, prefillRows: 256 });
      const sequence = runtime.open();
      for (let from = 0; from < length; from += 100) {
        await prefill(runtime, sequence, TOKENS.slice(0, Math.min(100, length - from)));
      }
      await decode(runtime, sequence, 1);
      const before = { ...device.counters };
      for (let token = 0; token < 4; token++) await decode(runtime, sequence, token);
      const AROUND_LAYERS = 2; // embedding, head
      expect(difference(device.counters, before)).toEqual({
        dispatches: 4 * (3 * perLayer + AROUND_LAYERS),
        passes: 4,
        submits: 4,
        bufferWrites: 4,
        readBytes: 4 * 4 * runtime.info.vocabSize,
        buffers: 0,
        bindGroups: 0,
        pipelines: 0,
        layouts: 0,
      });
      runtime.dispose();
    },
  );

  test("a decode step whose tokens are drawn on the GPU has three dispatches more, and reads 256 bytes a token", async () => {
    const device = await adapter.device();
    const runtime = await load(device, [memorySource(tinyModel(PLAIN_MODEL))], { gpuSampling: true });
    const sequences = [runtime.open(), runtime.open(), runtime.open()];
    for (const sequence of sequences) await prefill(runtime, sequence, TOKENS.slice(0, 10));
    const settings = { temperature: 0.8, topP: 0.9, frequencyPenalty: 1, logitBias: new Map([[5, 1]]), logprobs: 20 };
    const plan = compilePlan(options(settings));
    const rows = sequences.map((sequence): Row => {
      return { sequence, input: { ids: [7] }, want: "sample", plan, history: { prompt: [1], sampled: [7] } };
    });
    const steps = async (asked: readonly Row[]) => {
      const before = { ...device.counters };
      await runtime.step({ stage: "decode", rows: asked });
      return difference(device.counters, before);
    };
    const none = rows.map((row): Row => ({ ...row, want: "none" }));
    const last = rows.map((row): Row => ({ ...row, want: LAST }));
    const made = ({ pipelines, bindGroups }: Awaited<ReturnType<typeof steps>>) => pipelines + bindGroups;
    // What is for several rows is made beside the first steps that have them.
    for (let quiet = 0; quiet < 10; quiet = made(await steps(last)) === 0 ? quiet + 1 : 0)
      await new Promise((resolve) => setTimeout(resolve, 50));
    const plain = await steps(none);
    const head = (await steps(last)).dispatches - plain.dispatches;
    expect(await steps(rows)).toEqual({
      ...plain,
      dispatches: plain.dispatches + head + 3,
      readBytes: 3 * 256,
    });
    runtime.dispose();
  });

  test("a step that follows one whose token nobody has read costs what a step costs that is fed the id", async () => {
    // Its own, since kernels for several rows that another test has asked for may still be on their way.
    const device = await adapter.open();
    const runtime = await load(device, [memorySource(tinyModel(PLAIN_MODEL))], { gpuSampling: true });
    const plan = compilePlan(options({ topK: 20 }));
    const sequence = runtime.open();
    await prefill(runtime, sequence, TOKENS.slice(0, 10));
    const step = (index: number, input: Row["input"]) => {
      const history = { prompt: TOKENS.slice(0, 9), sampled: { length: index } };
      const rows: Row[] = [{ sequence, input, want: "sample", plan, history }];
      return runtime.step({ stage: "decode", rows, id: index as StepId });
    };
    const cost = async (steps: () => readonly Promise<unknown>[]) => {
      const before = { ...device.counters };
      await Promise.all(steps());
      return difference(device.counters, before);
    };
    const fed = await cost(() => [1, 2, 3, 4].map((index) => step(index, { ids: [index] })));
    const following = await cost(() => [5, 6, 7, 8].map((index) => step(index, { sampledBy: (index - 1) as StepId })));
    expect(following).toEqual(fed);
    expect(following).toMatchObject({ passes: 4, submits: 4, bufferWrites: 4, readBytes: 4 * 256 });
    expect(following).toMatchObject({ buffers: 0, bindGroups: 0, pipelines: 0, layouts: 0 });
    runtime.dispose();
    device.dispose();
  });

  test("the memory that was planned is the memory that is held, with sampling on the GPU and without", async () => {
    const device = await adapter.open();
    const spec = specOf(await readModel({ files: [memorySource(tinyModel(PLAIN_MODEL))] }));
    const held: number[] = [];
    for (const gpuSampling of [false, true]) {
      const planned = planMemory(device, spec, { contextLength: 64, gpuSampling }).bytes;
      const runtime = await load(device, [memorySource(tinyModel(PLAIN_MODEL))], { gpuSampling });
      held.push(device.buffers.heldBytes - planned);
      runtime.dispose();
    }
    expect(Math.abs(held[1]! - held[0]!)).toBeLessThan(1024); // buffers are rounded up
    device.dispose();
  });

  test("the ledger is back at its bytes after a request, and at 0 after dispose", async () => {
    const device = await adapter.open();
    const runtime = await load(device, [memorySource(tinyModel(PLAIN_MODEL))]);
    const held = device.buffers.heldBytes;
    const sequence = runtime.open();
    await prefill(runtime, sequence, TOKENS.slice(0, 30));
    const forked = await runtime.fork(sequence);
    await decode(runtime, forked, 1);
    runtime.free(sequence);
    runtime.free(forked);
    expect(device.buffers.heldBytes).toBe(held);
    runtime.dispose();
    device.dispose();
    expect(device.buffers.heldBytes).toBe(0);
  });

  test("a load that is aborted half way leaves nothing behind", async () => {
    const device = await adapter.open();
    const abort = new AbortController();
    const loading = load(device, [memorySource(tinyModel(PLAIN_MODEL))], {
      signal: abort.signal,
      onProgress: () => abort.abort(),
    });
    await expect(loading).rejects.toMatchObject({ code: "aborted" });
    const arenas = device.buffers.heldBytes; // parameters are shared by all that a device will ever load
    expect(arenas).toBeLessThanOrEqual(65_536);
    device.dispose();
  });

  test("a model in three files gives the bits of the same model in one", async () => {
    const device = await adapter.device();
    const whole = await load(device, [memorySource(tinyModel(PLAIN_MODEL))]);
    const parts = tinySplitModel(3, PLAIN_MODEL).map((bytes, index) => memorySource(bytes, `part ${index}`));
    const split = await load(device, parts);
    const tokens = TOKENS.slice(0, 20);
    expect(await prefill(split, split.open(), tokens)).toEqual(await prefill(whole, whole.open(), tokens));
    whole.dispose();
    split.dispose();
  });

  test("matrices beyond the binding limit are cut by rows, and the logits stay", async () => {
    const bytes = tinyModel({
      ...PLAIN_MODEL,
      vocabSize: 3001,
      hiddenSize: 96,
      headDim: 32,
      headCount: 3,
      intermediateSize: 160,
    });
    const wide = await adapter.open();
    const narrow = await adapter.open({ maxBindingBytes: 10_000 });
    const [whole, cut] = [await load(wide, [memorySource(bytes)]), await load(narrow, [memorySource(bytes)])];
    const logitsOf = async (runtime: Runtime) => {
      const sequence = runtime.open();
      const first = await prefill(runtime, sequence, [0, 1500, 3000, 7]);
      return [first, await decode(runtime, sequence, 2999)];
    };
    const [expected, actual] = [await logitsOf(whole), await logitsOf(cut)];
    expect(narrow.counters.dispatches).toBeGreaterThan(2 * wide.counters.dispatches);
    for (const [index, row] of actual.entries()) {
      const distance = Math.max(...row.map((logit, token) => Math.abs(logit - expected[index]![token]!)));
      expect(distance).toBeLessThan(1e-4);
    }
    wide.dispose();
    narrow.dispose();
  });
});

// The heap does not depend on the adapter: one is enough.
const firstAdapter = listCpuDrivers().find(({ manifest }) => manifest !== undefined)?.name;
const LIMIT = 64 << 20;

describeAdapters("Loading a large model", (adapter) => {
  test.runIf(adapter.name === firstAdapter)("keeps at most 64 MB on the JS heap", async () => {
    setFlagsFromString("--expose-gc");
    const collectGarbage: () => void = runInNewContext("gc");
    const held = () => {
      collectGarbage();
      const { heapUsed, arrayBuffers } = process.memoryUsage();
      return heapUsed + arrayBuffers;
    };
    let idle = Number.POSITIVE_INFINITY;
    let peak = 0;
    const source = zeroModel(24, () => {
      peak = Math.max(peak, held() - idle);
    });
    const device = await adapter.open();
    // Buffers are given back some turns after they were collected.
    for (let turn = 0; turn < 5; turn++) {
      idle = Math.min(idle, held());
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const runtime = await load(device, [source]);
    expect(source.bytesRead).toBeGreaterThan(100 << 20);
    expect(peak).toBeGreaterThan(1 << 20); // it measures something
    expect(peak).toBeLessThan(LIMIT);
    runtime.dispose();
    device.dispose();
  });
});

/** A model whose header is real and whose weights are zeros made as they are read; `onRead` is told of each read. */
function zeroModel(layerCount: number, onRead: () => void): ByteSource & { readonly bytesRead: number } {
  const shape = { hiddenSize: 512, headCount: 8, headDim: 64, intermediateSize: 1536, vocabSize: 99 };
  const { metadata, tensors = [] } = tinyModelParts({ ...shape, format: "F32", layerCount: 1 });
  const withoutData = tensors.map(({ name, shape, format }) => ({ name, shape, format }));
  const isLayer = ({ name }: { name: string }) => name.startsWith("blk.");
  const layers = Array.from({ length: layerCount }, (_, layer) =>
    withoutData.filter(isLayer).map((tensor) => ({ ...tensor, name: tensor.name.replace("blk.0", `blk.${layer}`) })),
  );
  const file = writeGguf({
    metadata: { ...metadata, "llama.block_count": { type: "uint32", value: layerCount } },
    tensors: [...withoutData.filter((tensor) => !isLayer(tensor)), ...layers.flat()],
  });
  const header = file.slice(0, 1 << 20); // longer than the header; the rest of the file is not kept
  const size = file.length;
  let bytesRead = 0;
  return {
    name: "zeros.gguf",
    size,
    get bytesRead() {
      return bytesRead;
    },
    async read(offset, length) {
      onRead();
      bytesRead += length;
      const bytes = new Uint8Array(length);
      bytes.set(header.subarray(offset, offset + length));
      return bytes;
    },
  };
}
