import { afterEach, expect, test, vi } from "vitest";
import type { ChatCompletionChunk } from "../../src/api/types.ts";
import { nextTask } from "../../src/base/event-loop.ts";
import { type CreateEngineOptions, createEngine, type Engine } from "../../src/client.ts";
import { gpuHost } from "../../src/engine/gpu-host.ts";
import type { ProgressEvent } from "../../src/engine/progress.ts";
import type { RequestStats } from "../../src/engine/stats.ts";
import { memorySource } from "../../src/storage/byte-source.ts";
import { certain, MODEL, type Script, scattered, scriptedHost, TOKENIZER } from "../engine/scripted-runtime.ts";
import { tinySplitModel } from "../fixtures/tiny-models.ts";
import { type FakeWorker, fakeLocks, fakeWorker } from "./fake-worker.ts";

const ENDLESS: Script = { logits: () => certain(TOKENIZER.encode("a")[0]!) };
const BASE = { model: "tiny", messages: [{ role: "user" as const, content: "Hi" }], temperature: 0 };
const STREAM = { ...BASE, stream: true as const };
const FILE = new File([MODEL], "tiny.gguf");
const open: Engine[] = [];

afterEach(async () => {
  for (const engine of open.splice(0)) await engine.dispose();
  vi.unstubAllGlobals();
});

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await nextTask();
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await nextTask();
}

/** An engine whose worker runs a script; `workers` are those that were started. */
async function start(scripts: Script[] = [{}], options: Partial<CreateEngineOptions> = {}) {
  const host = scriptedHost(...scripts);
  const locks = fakeLocks();
  vi.stubGlobal("navigator", { locks });
  const workers: FakeWorker[] = [];
  const worker = () => {
    const made = fakeWorker(host.open, locks);
    workers.push(made);
    return made.worker;
  };
  const engine = await createEngine({ id: "tiny", model: FILE, worker, ...options });
  open.push(engine);
  return { engine, workers, runtimes: host.runtimes, loads: host.loads };
}

test("plain and streamed answers come through the worker, and are the same", async () => {
  const { engine } = await start();
  const answer = await engine.chat.completions.create(BASE);
  expect(answer.choices[0]?.message.content).toBe("Hello");
  let text = "";
  const stream = await engine.chat.completions.create(STREAM);
  expect(stream.controller).toBeInstanceOf(AbortController);
  for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
  expect(text).toBe("Hello");
  expect(engine.info).toMatchObject({ architecture: "llama", id: "tiny", name: "tiny llama" });
});

test("a model comes as a file, as a source of the page's own, or in parts", async () => {
  const parts = tinySplitModel(3, { tokenizer: true, layerCount: 1 });
  for (const model of [FILE, memorySource(MODEL), parts.map((bytes) => memorySource(bytes))]) {
    const { engine } = await start([{}], { model });
    expect((await engine.chat.completions.create(BASE)).choices[0]?.message.content).toBe("Hello");
  }
});

test("progress and figures reach the page's callbacks", async () => {
  const progress: ProgressEvent[] = [];
  const stats: RequestStats[] = [];
  const onProgress = (event: ProgressEvent) => progress.push(event);
  const { engine } = await start([{}], { onProgress, onStats: (figures) => stats.push(figures) });
  const { id } = await engine.chat.completions.create(BASE);
  await until(() => stats.length > 0 && progress.at(-1)?.phase === "ready");
  expect(stats).toMatchObject([{ id, finish: "stop" }]);
});

test("a request's refusal arrives typed", async () => {
  const { engine } = await start();
  const call = engine.chat.completions.create({ ...BASE, temperature: 3 });
  await expect(call).rejects.toMatchObject({
    code: "invalid_request",
    param: "temperature",
    wireCode: "decimal_above_max_value",
  });
});

test("what is not plain data is refused, not hung on", async () => {
  const { engine } = await start();
  const call = engine.chat.completions.create({ ...BASE, user: (() => "me") as never });
  await expect(call).rejects.toMatchObject({ code: "invalid_request" });
});

test("break, abort of a stream and abort of a plain answer free the sequence, and no step follows", async () => {
  const { engine, runtimes } = await start([ENDLESS]);
  const runtime = runtimes[0]!;
  const idle = async () => {
    await until(() => runtime.openCount === 0);
    const submitted = runtime.steps.length;
    await turns(20);
    expect(runtime.steps.length).toBe(submitted);
  };
  let seen = 0;
  for await (const _ of await engine.chat.completions.create(STREAM)) if (++seen === 3) break;
  expect(runtime.openCount).toBe(0);
  await idle();

  const stream = await engine.chat.completions.create(STREAM);
  const read = async () => {
    for await (const _ of stream) stream.controller.abort();
  };
  await expect(read()).rejects.toMatchObject({ code: "aborted" });
  await idle();

  const controller = new AbortController();
  const plain = engine.chat.completions.create(BASE, { signal: controller.signal });
  await until(() => runtime.openCount === 1);
  controller.abort();
  await expect(plain).rejects.toMatchObject({ code: "aborted" });
  await idle();
});

test("a page that does not read parks its sequence within 64 chunks, and no other", async () => {
  const { engine, runtimes } = await start([ENDLESS]);
  const stream = await engine.chat.completions.create({ ...STREAM, max_tokens: 100 });
  await turns(300);
  expect(runtimes[0]!.steps.length).toBeLessThanOrEqual(65);
  expect((await engine.chat.completions.create({ ...BASE, max_tokens: 2 })).usage.completion_tokens).toBe(2);
  const chunks: ChatCompletionChunk[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  expect(chunks.length).toBe(102);
});

test("dispose rejects what runs, ends the worker, and every later call", async () => {
  const { engine, workers, runtimes } = await start([ENDLESS]);
  const stream = (await engine.chat.completions.create(STREAM))[Symbol.asyncIterator]();
  const readAll = async () => {
    while (!(await stream.next()).done);
  };
  const ends = Promise.allSettled([engine.chat.completions.create(BASE), readAll()]);
  await turns(20);
  await engine.dispose();
  for (const end of await ends) expect(end).toMatchObject({ status: "rejected", reason: { code: "disposed" } });
  expect([workers[0]?.terminated, runtimes[0]?.openCount, runtimes[0]?.disposed]).toEqual([true, 0, true]);
  await expect(engine.chat.completions.create(BASE)).rejects.toMatchObject({ code: "disposed" });
});

for (const [how, kill] of [
  ["dies without a word", (worker: FakeWorker) => worker.die()],
  ["throws", (worker: FakeWorker) => worker.throwError("out of memory")],
] as const) {
  test(`a worker that ${how} rejects every pending call, and the next call starts another`, async () => {
    const { engine, workers } = await start([ENDLESS, { reply: "again" }]);
    const stream = (await engine.chat.completions.create(STREAM))[Symbol.asyncIterator]();
    await stream.next();
    const plain = engine.chat.completions.create(BASE);
    const settled = Promise.allSettled([plain]);
    await turns(5);
    kill(workers[0]!);
    expect(await settled).toMatchObject([{ status: "rejected", reason: { code: "worker_crashed" } }]);
    await expect(stream.next()).rejects.toMatchObject({ code: "worker_crashed" });
    expect(await stream.next()).toEqual({ done: true, value: undefined });
    expect((await engine.chat.completions.create(BASE)).choices[0]?.message.content).toBe("again");
    expect(workers.map(({ terminated }) => terminated)).toEqual([true, false]);
  });
}

test("several models live in one worker, by name, and come back together after it died", async () => {
  const { engine, workers, runtimes } = await start([
    { reply: "rain" },
    { reply: "snow" },
    { reply: "rain" },
    { reply: "snow" },
  ]);
  const progress: ProgressEvent[] = [];
  expect(await engine.load({ id: "two", model: FILE, onProgress: (event) => progress.push(event) })).toMatchObject({
    id: "two",
  });
  await until(() => progress.at(-1)?.phase === "ready");
  const ask = async (model: string) =>
    (await engine.chat.completions.create({ ...BASE, model })).choices[0]?.message.content;
  expect([await ask("tiny"), await ask("two")]).toEqual(["rain", "snow"]);
  expect((await engine.models.list()).data.map(({ id }) => id)).toEqual(["tiny", "two"]);
  workers[0]!.die();
  await turns(2);
  expect([await ask("two"), await ask("tiny")]).toEqual(["snow", "rain"]);
  expect([workers.length, runtimes.length]).toEqual([2, 4]);
  await engine.unload("tiny");
  expect(engine.info.id).toBe("two");
  expect(await engine.models.retrieve("two")).toMatchObject({ id: "two", object: "model" });
  await expect(engine.models.retrieve("tiny")).rejects.toMatchObject({ code: "model_not_found" });
  await expect(ask("tiny")).rejects.toMatchObject({ code: "model_not_found", status: 404, param: "model" });
});

test("an engine opens without a model; a second load that fails leaves the first model as it was", async () => {
  const { engine } = await start([{}], { model: undefined as never });
  expect(() => engine.info).toThrow(/No model is loaded/);
  await engine.load({ id: "tiny", model: FILE });
  const broken = engine.load({ id: "broken", model: new File(["<html>"], "x.gguf") });
  await expect(broken).rejects.toMatchObject({ code: "model_malformed" });
  await expect(engine.load({ id: "tiny", model: FILE })).rejects.toMatchObject({
    code: "invalid_request",
    param: "id",
  });
  expect((await engine.chat.completions.create(BASE)).choices[0]?.message.content).toBe("Hello");
});

test("n choices come through the worker, interleaved and alike", async () => {
  const { engine } = await start([{ logits: (ids) => scattered(ids) }]);
  const request = { ...BASE, temperature: 1, seed: 4, n: 3, max_tokens: 8 };
  const plain = await engine.chat.completions.create(request);
  const texts = ["", "", ""];
  for await (const chunk of await engine.chat.completions.create({ ...request, stream: true }))
    for (const { index, delta } of chunk.choices) texts[index] += delta.content ?? "";
  expect(texts).toEqual(plain.choices.map(({ message }) => message.content));
  expect(new Set(texts).size).toBe(3);
});

test.each([
  ["memoryBudget", -1],
  ["speculate", "draft-model"],
])("a %s that is none is refused by name", async (name, value) => {
  vi.stubGlobal("navigator", {});
  const made = fakeWorker(scriptedHost({}).open);
  const opening = createEngine({ model: FILE, [name]: value, worker: () => made.worker });
  await expect(opening).rejects.toMatchObject({ code: "invalid_request", param: name });
  expect(made.terminated).toBe(true);
});

test("speculate reaches the worker, and costs fewer steps", async () => {
  vi.stubGlobal("navigator", {});
  const [looked, plain] = await Promise.all(
    (["lookup", "off"] as const).map(async (speculate) => {
      const host = scriptedHost({ reply: "the sea the sea the sea the sea the sea" });
      const { worker } = fakeWorker(host.open);
      const engine = await createEngine({ model: FILE, speculate, worker: () => worker });
      const { choices } = await engine.chat.completions.create(BASE);
      return { text: choices[0]!.message.content, steps: host.runtimes[0]!.steps.length };
    }),
  );
  expect(looked!.text).toBe(plain!.text);
  expect(looked!.steps).toBeLessThan(plain!.steps);
});

test.each([undefined, "auto", "off"] as const)("tune: %s reaches who makes the runtime", async (tune) => {
  const { loads } = await start([{}], tune && { tune });
  expect(loads.map((load) => load.tune)).toEqual([tune ?? "auto"]);
});

test("a worker that does not start is worker_crashed", async () => {
  const inert = Object.assign(new EventTarget(), { postMessage: () => {}, terminate: () => {} });
  vi.stubGlobal("navigator", {});
  const starting = createEngine({ model: FILE, worker: () => inert as unknown as Worker });
  await turns(2);
  inert.dispatchEvent(new Event("error"));
  await expect(starting).rejects.toMatchObject({ code: "worker_crashed" });
  const refused = createEngine({
    model: FILE,
    worker: () => {
      throw new DOMException("CSP", "SecurityError");
    },
  });
  await expect(refused).rejects.toMatchObject({ code: "worker_crashed" });
});

test("without WebGPU the load says why", async () => {
  vi.stubGlobal("navigator", {});
  const made = fakeWorker(gpuHost(undefined));
  const loading = createEngine({ model: FILE, worker: () => made.worker });
  await expect(loading).rejects.toMatchObject({ code: "webgpu_unavailable", details: { reason: expect.any(String) } });
  expect(made.terminated).toBe(true);
});

test("a load that fails ends its worker and arrives typed", async () => {
  vi.stubGlobal("navigator", {});
  const made = fakeWorker(scriptedHost({}).open);
  const loading = createEngine({ model: new File(["<html>"], "x.gguf"), worker: () => made.worker });
  await expect(loading).rejects.toMatchObject({ code: "model_malformed" });
  expect(made.terminated).toBe(true);
});

test("an abort ends the loading and its worker", async () => {
  vi.stubGlobal("navigator", {});
  const controller = new AbortController();
  const host = scriptedHost({});
  const made = fakeWorker(async () => {
    controller.abort();
    return host.open();
  });
  const loading = createEngine({ model: FILE, worker: () => made.worker, signal: controller.signal });
  await expect(loading).rejects.toMatchObject({ code: "aborted" });
  expect(made.terminated).toBe(true);
});

test.each([
  ["contextLength", { contextLength: 1.5 }],
  ["kvCache", { kvCache: "q4_0" as never }],
  ["precision", { precision: "double" as never }],
  ["tune", { tune: "sometimes" as unknown as "auto" }],
  ["id", { id: 7 as unknown as string }],
  ["sha256", { sha256: "abc" }],
  ["sha256", { sha256: "a".repeat(64) }], // of a file that the user chose: nobody published one
])("a nonsensical %s is refused by name: %j", async (param, options) => {
  vi.stubGlobal("navigator", {});
  const made = fakeWorker(scriptedHost({}).open);
  const loading = createEngine({ model: FILE, worker: () => made.worker, ...options });
  await expect(loading).rejects.toMatchObject({ code: "invalid_request", param });
});
