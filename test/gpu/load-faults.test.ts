// A load that fails, wherever it does: one typed error, and nothing of it stays on the GPU.
import { describe, expect, test } from "vitest";
import { EngineError } from "../../src/base/errors.ts";
import { readModel } from "../../src/gguf/model-file.ts";
import type { Device } from "../../src/gpu/device.ts";
import { specOf } from "../../src/model/architectures/index.ts";
import { type MemoryPlan, planMemory } from "../../src/runtime/gpu-memory.ts";
import { createGpuRuntime, type GpuRuntimeOptions } from "../../src/runtime/gpu-runtime.ts";
import type { LoadProgress, LoadTimes } from "../../src/runtime/load-progress.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { type ByteSource, memorySource } from "../../src/storage/byte-source.ts";
import { tinyModel } from "../fixtures/tiny-models.ts";
import { describeFirstAdapter, saidToBeGpu } from "./adapters.ts";

const MODEL = tinyModel({ layerCount: 1, biases: true, ropeLayout: "halves" });
/** Parameters of kernels: shared by all that a device will ever load, so they stay. One arena is plenty for this model. */
const ARENA_BYTES = 65_536;

async function load(
  device: Device,
  options: Partial<GpuRuntimeOptions> = {},
  source: ByteSource = memorySource(MODEL),
): Promise<Runtime> {
  const model = await readModel({ files: [source] });
  return createGpuRuntime({ device, model, spec: specOf(model), prefillRows: 16, ...options });
}

function expectNothingHeld(device: Device): void {
  expect(device.buffers.heldBytes % ARENA_BYTES).toBe(0);
  expect(device.buffers.heldBytes).toBeLessThanOrEqual(ARENA_BYTES);
}

describeFirstAdapter("a load", (adapter) => {
  test("compiles while bytes come, and tells where its time went", async () => {
    const device = await adapter.open();
    const whole = memorySource(MODEL);
    const model = await readModel({ files: [whole] });
    const { bindGroups } = device.counters;
    // Bind groups are made when their pipelines are there: weights are held back until then.
    const read: ByteSource["read"] = async (...range) => {
      while (device.counters.bindGroups === bindGroups) await new Promise((resolve) => setTimeout(resolve, 1));
      return whole.read(...range);
    };
    const files = model.files.map((file) => ({ ...file, source: { ...whole, read } }));
    let times: LoadTimes | undefined;
    const runtime = await createGpuRuntime({
      device,
      model: { ...model, files },
      spec: specOf(model),
      onLoaded: (loaded) => {
        times = loaded;
      },
    });
    const { readMs, repackMs, uploadMs, compileMs, readyMs } = times!;
    expect(Math.min(readMs, repackMs, uploadMs, compileMs)).toBeGreaterThan(0);
    expect(readMs + repackMs + uploadMs).toBeLessThanOrEqual(readyMs);
    expect(compileMs).toBeLessThanOrEqual(readyMs);
    runtime.dispose();
    device.dispose();
  });
});

describeFirstAdapter("a load that fails", (adapter) => {
  test("progress goes through upload, then compile, each to its end", async () => {
    const device = await adapter.device();
    const events: LoadProgress[] = [];
    const runtime = await load(device, { onProgress: (event) => events.push(event) });
    runtime.dispose();
    const phases = events.map(({ phase }) => phase);
    expect(phases).toEqual([...phases].sort().reverse()); // all of upload, then all of compile
    for (const phase of ["upload", "compile"]) {
      const counts = events.filter((event) => event.phase === phase);
      expect(counts.at(-1)!.bytes).toBe(counts[0]!.total);
      expect(counts.map(({ bytes }) => bytes)).toEqual(counts.map(({ bytes }) => bytes).sort((a, b) => a - b));
    }
  });

  test("reads nothing but the header before it knows that the model can run, then each weight once, in file order", async () => {
    const device = await adapter.open();
    const whole = memorySource(tinyModel({ layerCount: 6, vocabSize: 8000, seed: 2 }));
    const reads: [offset: number, length: number][] = [];
    const read: ByteSource["read"] = (offset, length, signal) => {
      reads.push([offset, length]);
      return whole.read(offset, length, signal);
    };
    const model = await readModel({ files: [{ ...whole, read }] });
    const headerReads = reads.splice(0);
    const spec = specOf(model);
    const loading = (availableBytes?: number) =>
      createGpuRuntime({ device, model, spec, contextLength: 64, availableBytes });
    await expect(loading(1)).rejects.toMatchObject({ code: "out_of_memory" });
    expect(reads).toEqual([]);
    (await loading()).dispose();
    const bytesOf = (ranges: typeof reads) => ranges.reduce((sum, [, length]) => sum + length, 0);
    const tensors = [...model.tensors.values()];
    expect(bytesOf(headerReads)).toBeLessThan(whole.size / 4);
    expect(bytesOf(reads)).toBe(tensors.reduce((sum, { byteLength }) => sum + byteLength, 0));
    const ends = reads.map(([offset, length]) => offset + length);
    expect(reads.every(([offset], index) => index === 0 || offset >= ends[index - 1]!)).toBe(true);
    device.dispose();
  });

  test.each(["upload", "compile"])("by an abort during %s is aborted", async (phase) => {
    const device = await adapter.device();
    const abort = new AbortController();
    const onProgress = (progress: LoadProgress) => progress.phase === phase && abort.abort();
    await expect(load(device, { onProgress, signal: abort.signal })).rejects.toMatchObject({ code: "aborted" });
    expectNothingHeld(device);
  });

  test("by its source, at any read, has the source's error", async () => {
    const device = await adapter.device();
    const whole = memorySource(MODEL);
    const failure = new EngineError("source_changed", "The file is another one now.");
    let failed = 0;
    for (let failing = 1; ; failing++) {
      let reads = 0;
      const read: ByteSource["read"] = async (...range) => {
        if (++reads === failing) throw failure;
        return whole.read(...range);
      };
      const error = await load(device, {}, { ...whole, read }).then(
        (runtime) => runtime.dispose(),
        (thrown) => thrown,
      );
      expectNothingHeld(device);
      if (error === undefined) break;
      expect(error).toBe(failure);
      failed++;
    }
    expect(failed).toBeGreaterThan(10); // the header, then every tensor
  });

  test("by its n-th allocation and all after it, for every n, is out_of_memory", async () => {
    const device = await adapter.open();
    const ledger = device.buffers as { create: Device["buffers"]["create"] };
    const create = ledger.create.bind(ledger);
    let failed = 0;
    for (let failing = 1; ; failing++) {
      let allocations = 0;
      ledger.create = async (request) => {
        if (++allocations >= failing)
          throw new EngineError("out_of_memory", "no room", { details: { requestedBytes: 1, heldBytes: 0 } });
        return create(request);
      };
      const error = await load(device).then(
        (runtime) => runtime.dispose(),
        (thrown) => thrown,
      );
      expectNothingHeld(device);
      if (error === undefined) break;
      expect(error).toMatchObject({ code: "out_of_memory" });
      failed++;
    }
    expect(failed).toBeGreaterThan(25);
    device.dispose();
  });

  describe("on a device that refuses buffers above a size", () => {
    const page = 2 * 2 * 64 * 32 * 2; // as below
    /** The driver's own word: the ledger learns of it from the error scope. */
    const refuseAbove = (device: Device, limit: number) => {
      const refused: number[] = [];
      const { gpu } = device;
      const createBuffer = gpu.createBuffer.bind(gpu);
      const popErrorScope = gpu.popErrorScope.bind(gpu);
      let exhausted = false;
      gpu.createBuffer = (descriptor) => {
        exhausted = descriptor.size > limit;
        if (exhausted) refused.push(descriptor.size);
        return createBuffer(exhausted ? { ...descriptor, size: 16 } : descriptor);
      };
      const scopes: GPUErrorFilter[] = [];
      const pushErrorScope = gpu.pushErrorScope.bind(gpu);
      gpu.pushErrorScope = (filter) => {
        scopes.push(filter);
        return pushErrorScope(filter);
      };
      gpu.popErrorScope = async () => {
        const refusing = scopes.pop() === "out-of-memory" && exhausted;
        const error = await popErrorScope();
        return refusing ? new GPUOutOfMemoryError("refused") : error;
      };
      return refused;
    };

    test("the pool shrinks to half, and the model runs in the context that was asked for", async () => {
      const device = await adapter.open();
      const refused = refuseAbove(device, 40 * page);
      const runtime = await load(device, { contextLength: 256 }); // 4 pages, of a pool of 68
      expect(refused).toEqual([68 * page]);
      expect(runtime.info.contextLength).toBe(256);
      const row = { sequence: runtime.open(), input: { ids: [1, 2, 3] }, want: { logits: true, at: "last" } } as const;
      expect((await runtime.step({ stage: "prefill", rows: [row] })).rows[0]!.logits![0]!.every(Number.isFinite)).toBe(
        true,
      );
      runtime.dispose();
      expectNothingHeld(device);
      device.dispose();
    });

    test("half is refused too: out_of_memory, with what was asked for and what is held", async () => {
      const device = await adapter.open();
      const refused = refuseAbove(device, 30 * page);
      const error = await load(device, { contextLength: 256 }).catch((thrown) => thrown);
      expect(refused).toEqual([68 * page, 34 * page]);
      expect(error).toMatchObject({ code: "out_of_memory", details: { requestedBytes: 34 * page } });
      expect(error.details.heldBytes).toBeGreaterThan(0);
      expectNothingHeld(device);
      device.dispose();
    });
  });

  test.each(["upload", "compile"])("by a device lost during %s is device_lost", async (phase) => {
    const device = await adapter.open();
    const onProgress = (progress: LoadProgress) => progress.phase === phase && device.gpu.destroy();
    await expect(load(device, { onProgress })).rejects.toMatchObject({ code: "device_lost" });
    expectNothingHeld(device);
    device.dispose();
    expect(device.buffers.heldBytes).toBe(0);
  });

  test("for want of memory says so before anything is allocated; a context that was not asked for shrinks", async () => {
    const device = await adapter.open();
    const page = 2 * 2 * 64 * 32 * 2; // keys and values of 2 heads, 64 positions, 32 dimensions, in f16; one layer
    const spec = specOf(await readModel({ files: [memorySource(MODEL)] }));
    const { scratch, bytes, kv } = planMemory(device, spec, { contextLength: 129, prefillRows: 16 });
    expect(kv.pageBytes).toBe(page);
    const scratchBytes = bytes - kv.pageCount * page;
    expect(scratchBytes).toBeGreaterThan(2 * scratch.readback);
    const availableBytes = scratchBytes + 2 * page;
    await expect(load(device, { contextLength: 129, availableBytes })).rejects.toMatchObject({
      code: "out_of_memory",
      details: { requestedBytes: scratchBytes + 3 * page },
    });
    expect(device.buffers.heldBytes).toBe(0);
    const quantized = planMemory(device, spec, { contextLength: 129, prefillRows: 16, kvCache: "q8_0" });
    expect(quantized.kv.pageBytes).toBe(2 * 2 * 64 * (32 + 4)); // a scale's word for 32 bytes
    expect(quantized.kv.pageCount).toBe(kv.pageCount);
    const exact = await load(device, { contextLength: 128, availableBytes });
    expect(exact.info.contextLength).toBe(128);
    const long = { ...spec, contextLength: 4096 };
    const least = planMemory(device, long, { contextLength: 512 });
    const { contextLength } = planMemory(device, long, { availableBytes: least.bytes + 300_000 });
    expect(contextLength).toBeGreaterThanOrEqual(512);
    expect(contextLength).toBeLessThan(4096);
    expect(() => planMemory(device, long, { availableBytes: 8 * page })).toThrow(/context of 512 tokens/);
    const wide = await load(device, { contextLength: 1e9 });
    expect(wide.info.contextLength).toBe(256); // the model's own
    device.dispose();
  });

  test("where a GPU's memory is too small for the longest segments, shorter ones are planned", async () => {
    const device = saidToBeGpu(await adapter.device());
    const spec = specOf(await readModel({ files: [memorySource(MODEL)] }));
    const leastBytes = ({ bytes, kv }: MemoryPlan) => bytes - (kv.pageCount - kv.leastPages) * kv.pageBytes;
    const longest = planMemory(device, spec, { contextLength: 128, availableBytes: 1e9 });
    expect(longest.maxRows.prefill).toBe(512);
    const shorter = planMemory(device, spec, { contextLength: 128, availableBytes: leastBytes(longest) - 1 });
    expect([shorter.maxRows.prefill, shorter.contextLength]).toEqual([256, 128]);
    const tooLittle = { contextLength: 128, availableBytes: leastBytes(shorter) - 1 };
    expect(() => planMemory(device, spec, tooLittle)).toThrow(/context of 128 tokens/);
  });
});
