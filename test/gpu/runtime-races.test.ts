// Calls that meet in the middle of others: the GPU runtime's steps are asynchronous, its bookkeeping is not.
import { expect, test } from "vitest";
import { readModel } from "../../src/gguf/model-file.ts";
import type { Device } from "../../src/gpu/device.ts";
import { specOf } from "../../src/model/architectures/index.ts";
import { createGpuRuntime } from "../../src/runtime/gpu-runtime.ts";
import type { Runtime, SequenceId } from "../../src/runtime/runtime.ts";
import { memorySource } from "../../src/storage/byte-source.ts";
import { tinyModel } from "../fixtures/tiny-models.ts";
import { describeFirstAdapter, saidToBeGpu } from "./adapters.ts";

const MODEL = tinyModel({ layerCount: 1 });
const LONG = Array.from({ length: 100 }, (_, index) => index % 60); // with all logits wanted, more than are read at once

async function load(device: Device): Promise<Runtime> {
  const model = await readModel({ files: [memorySource(MODEL)] });
  return createGpuRuntime({
    device,
    model,
    spec: specOf(model),
    contextLength: 256,
    maxSequences: 4,
    prefillRows: 128,
  });
}

function prefill(runtime: Runtime, sequence: SequenceId, ids: readonly number[]) {
  return runtime.step({
    stage: "prefill",
    rows: [{ sequence, input: { ids }, want: { logits: true, at: "all" } }],
  });
}

describeFirstAdapter("GPU runtime", (adapter) => {
  test("disposed while steps run and wait, it ends each with disposed, and its device serves another", async () => {
    const device = await adapter.device();
    const held = device.buffers.heldBytes;
    const runtime = await load(device);
    const steps = [0, 1, 2].map(() => prefill(runtime, runtime.open(), LONG));
    const ended = Promise.allSettled(steps);
    await Promise.resolve();
    runtime.dispose();
    for (const step of await ended) expect(step).toMatchObject({ status: "rejected", reason: { code: "disposed" } });
    const another = await load(device);
    const result = await prefill(another, another.open(), LONG);
    expect(result.rows[0]!.logits).toHaveLength(LONG.length);
    another.dispose();
    expect(device.buffers.heldBytes - held).toBeLessThanOrEqual(65_536); // an arena of parameters, kept by the device
  });

  test("a lost device ends running and waiting steps with device_lost", async () => {
    const device = await adapter.open();
    const runtime = await load(device);
    const ended = Promise.allSettled([0, 1, 2].map(() => prefill(runtime, runtime.open(), LONG)));
    await Promise.resolve();
    device.gpu.destroy();
    for (const step of await ended) expect(step).toMatchObject({ status: "rejected", reason: { code: "device_lost" } });
    expect(await runtime.lost).toMatchObject({ code: "device_lost" });
    runtime.dispose();
    device.dispose();
    expect(device.buffers.heldBytes).toBe(0);
  });

  test("fork and rewind wait for the steps called before them, and later steps for those", async () => {
    const device = await adapter.device();
    const runtime = await load(device);
    const [sequence, fresh] = [runtime.open(), runtime.open()];
    void prefill(runtime, sequence, LONG.slice(0, 70));
    const forking = runtime.fork(sequence);
    const rewinding = runtime.rewind(sequence, 30);
    const continued = prefill(runtime, sequence, LONG.slice(30, 60));
    const fork = await forking;
    expect(await rewinding).toBe(30);
    const expected = (await prefill(runtime, fresh, LONG)).rows[0]!.logits!;
    expect((await continued).rows[0]!.logits).toEqual(expected.slice(30, 60));
    expect((await prefill(runtime, fork, LONG.slice(70))).rows[0]!.logits).toEqual(expected.slice(70));
    runtime.dispose();
  });

  test("a sequence freed before its step's turn fails that step, and no other", async () => {
    const device = await adapter.device();
    const runtime = await load(device);
    const [kept, freed] = [runtime.open(), runtime.open()];
    const first = prefill(runtime, kept, LONG);
    const second = prefill(runtime, freed, LONG);
    const outcome = expect(second).rejects.toThrow("not open");
    runtime.free(freed);
    const expected = (await first).rows[0]!.logits!;
    await outcome;
    runtime.free(kept);
    const again = await prefill(runtime, runtime.open(), LONG);
    expect(again.rows[0]!.logits).toEqual(expected);
    runtime.dispose();
  });

  test("a step that follows a prefill in many submissions, unawaited, takes effect after it", async () => {
    const own = await adapter.open();
    // What is no CPU gets a prefill in short submissions, whether or not somebody waits.
    const device = saidToBeGpu(own);
    const runtime = await load(device);
    const decode = (sequence: SequenceId) =>
      runtime.step({ stage: "decode", rows: [{ sequence, input: { ids: [7] }, want: { logits: true, at: "last" } }] });
    const [awaited, unawaited] = [runtime.open(), runtime.open()];
    const before = device.counters.submits;
    const results = [prefill(runtime, unawaited, LONG), decode(unawaited)];
    await Promise.all(results);
    expect(device.counters.submits - before).toBeGreaterThan(4);
    const expected = [await prefill(runtime, awaited, LONG), await decode(awaited)];
    expect((await Promise.all(results)).map(({ rows }) => rows)).toEqual(expected.map(({ rows }) => rows));
    runtime.dispose();
    own.dispose();
  });
});
