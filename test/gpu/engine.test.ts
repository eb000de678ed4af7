// The engine over the GPU: a device that is destroyed in mid-answer, and what the ledger holds after each request.
import { expect, test } from "vitest";
import { openEngine } from "../../src/engine/engine.ts";
import { gpuHost } from "../../src/engine/gpu-host.ts";
import { modelAtHand } from "../../src/engine/model-opener.ts";
import type { Device } from "../../src/gpu/device.ts";
import { memorySource } from "../../src/storage/byte-source.ts";
import { tinyModel } from "../fixtures/tiny-models.ts";
import { describeAdapters, type TestAdapter } from "./adapters.ts";

const MODEL = tinyModel({ tokenizer: true, format: "Q8_0", contextLength: 256, seed: 3 });
const BASE = { model: "tiny", messages: [{ role: "user" as const, content: "Hi" }], temperature: 0 };

async function open(adapter: TestAdapter) {
  const devices: Device[] = [];
  const openHost = gpuHost(await adapter.gpu(), (device) => devices.push(device));
  const engine = await openEngine({ openModel: modelAtHand({ files: [memorySource(MODEL)] }), openHost });
  return { engine, devices };
}

describeAdapters("engine", (adapter) => {
  test("a device destroyed in mid-answer rejects every call with device_lost; the next finds the model rebuilt", async () => {
    const { engine, devices } = await open(adapter);
    const ask = () => engine.chat.completions.create({ ...BASE, max_tokens: 8 });
    const before = (await ask()).choices[0]?.message.content;
    const stream = (await engine.chat.completions.create({ ...BASE, stream: true }))[Symbol.asyncIterator]();
    const queued = Promise.allSettled([ask()]);
    await stream.next();
    await stream.next();
    devices[0]!.gpu.destroy();
    const readAll = async () => {
      while (!(await stream.next()).done);
    };
    await expect(readAll()).rejects.toMatchObject({ code: "device_lost" });
    expect(await queued).toMatchObject([{ status: "rejected", reason: { code: "device_lost" } }]);
    expect((await ask()).choices[0]?.message.content).toBe(before);
    expect(devices.length).toBe(2);
    await engine.dispose();
  });

  test("GPU memory is as after loading when a request has ended, however it did, and 0 after dispose", async () => {
    const { engine, devices } = await open(adapter);
    const ledger = devices[0]!.buffers;
    const loaded = ledger.heldBytes;
    expect(loaded).toBeGreaterThan(0);
    await engine.chat.completions.create({ ...BASE, max_tokens: 4 });
    expect(ledger.heldBytes).toBe(loaded);
    for await (const _ of await engine.chat.completions.create({ ...BASE, stream: true })) break;
    expect(ledger.heldBytes).toBe(loaded);
    const controller = new AbortController();
    const aborted = engine.chat.completions.create(BASE, { signal: controller.signal });
    controller.abort();
    await expect(aborted).rejects.toMatchObject({ code: "aborted" });
    expect(ledger.heldBytes).toBe(loaded);
    await engine.dispose();
    expect(ledger.heldBytes).toBe(0);
  });
});
