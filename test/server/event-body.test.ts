import { getEventListeners } from "node:events";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, onTestFinished, test, vi } from "vitest";
import type { ChatCompletionChunk } from "../../src/api/types.ts";
import { EngineError } from "../../src/base/errors.ts";
import { nextTask } from "../../src/base/event-loop.ts";
import { createFetchHandler, type RequestRecord } from "../../src/server/fetch-handler.ts";
import { certain, openScripted, type Script, TOKENIZER } from "../engine/scripted-runtime.ts";
import { chunkOf, fakeEngine } from "./fake-engine.ts";

const ENDLESS: Script = { logits: () => certain(TOKENIZER.encode("a")[0]!), contextLength: 4096 };
const REQUEST = { model: "tiny", messages: [{ role: "user", content: "Hi" }], temperature: 0, stream: true };

function post(signal?: AbortSignal): RequestInit {
  const headers = { "content-type": "application/json" };
  return { method: "POST", headers, body: JSON.stringify(REQUEST), ...(signal && { signal }) };
}

function ask(engine: Parameters<typeof createFetchHandler>[0], signal?: AbortSignal, records: RequestRecord[] = []) {
  const fetch = createFetchHandler(engine, { onRequest: (record) => records.push(record) });
  return fetch("http://ingle/v1/chat/completions", post(signal));
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await nextTask();
}

function* endless(): Generator<ChatCompletionChunk> {
  for (;;) yield chunkOf("a");
}

test("a stream has its headers, its chunks, and [DONE] at the end", async () => {
  const chunks = [chunkOf("Hé"), chunkOf("llo"), chunkOf("", "stop")];
  const response = await ask(fakeEngine(chunks));
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
  expect(response.headers.get("cache-control")).toBe("no-cache");
  expect(response.headers.get("x-request-id")).toMatch(/^req_/);
  const events = [...chunks.map((chunk) => JSON.stringify(chunk)), "[DONE]"];
  expect(await response.text()).toBe(events.map((event) => `data: ${event}\n\n`).join(""));
});

test("a failure after the first chunk is one frame with the error, and no [DONE]", async () => {
  const error = new EngineError("device_lost", "The GPU was lost.");
  const text = await (await ask(fakeEngine([chunkOf("a"), error]))).text();
  const frames = [chunkOf("a"), { error: error.toOpenAI() }];
  expect(text).toBe(frames.map((frame) => `data: ${JSON.stringify(frame)}\n\n`).join(""));
});

test("a bug after the first chunk names nothing of the inside, and is on the console once", async () => {
  const onConsole = vi.spyOn(console, "error").mockImplementation(() => {});
  onTestFinished(() => onConsole.mockRestore());
  const text = await (await ask(fakeEngine([chunkOf("a"), new TypeError("secret")]))).text();
  expect(text).toContain('"code":"internal_error"');
  expect(text).not.toContain("secret");
  expect(onConsole).toHaveBeenCalledTimes(1);
});

test("a chunk that cannot be written fails the stream, and ends the engine's work", async () => {
  const onConsole = vi.spyOn(console, "error").mockImplementation(() => {});
  onTestFinished(() => onConsole.mockRestore());
  const engine = fakeEngine([chunkOf("a"), { ...chunkOf("b"), created: 1n as unknown as number }, chunkOf("c")]);
  expect(await (await ask(engine)).text()).toContain('"code":"internal_error"');
  expect([engine.pulled, engine.left]).toEqual([2, true]);
});

test("no chunk is taken before it is read, but the first", async () => {
  const engine = fakeEngine(endless());
  const response = await ask(engine);
  await turns(20);
  expect(engine.pulled).toBe(1);
  const reader = response.body!.getReader();
  for (let read = 1; read <= 5; read++) {
    await reader.read();
    await turns(3);
    expect(engine.pulled).toBe(read);
  }
  await reader.cancel();
  expect(engine.left).toBe(true);
});

test("a reader who stops parks his own sequence, and the other goes on to its end", async () => {
  const { engine, runtime } = await openScripted(ENDLESS);
  const slow = await ask(engine);
  await turns(300);
  const stood = runtime.steps.length;
  await turns(50);
  expect(runtime.steps.length).toBe(stood);
  expect(stood).toBeLessThan(64 + 8);
  const other = await engine.chat.completions.create({
    model: "tiny",
    messages: [{ role: "user", content: "Hi" }],
    max_tokens: 100,
  });
  expect(other.usage.completion_tokens).toBe(100);
  await slow.body!.cancel();
  expect(runtime.openCount).toBe(0);
});

test("cancel() ends the answer and frees its sequence by the time it resolves", async () => {
  const { engine, runtime } = await openScripted(ENDLESS);
  const records: RequestRecord[] = [];
  const reader = (await ask(engine, undefined, records)).body!.getReader();
  await reader.read();
  const pending = reader.read();
  await reader.cancel();
  expect(await pending).toEqual({ done: true, value: undefined });
  expect(runtime.openCount).toBe(0);
  const submitted = runtime.steps.length;
  await turns(20);
  expect(runtime.steps.length).toBe(submitted);
  expect(records).toMatchObject([{ status: 200, streamed: true, errorCode: "aborted" }]);
});

for (const waiting of [true, false]) {
  test(`an abort fails the body with the signal's reason, ${waiting ? "during" : "between"} reads`, async () => {
    const { engine, runtime } = await openScripted(ENDLESS);
    const controller = new AbortController();
    const reason = new Error("enough");
    const records: RequestRecord[] = [];
    const reader = (await ask(engine, controller.signal, records)).body!.getReader();
    await reader.read();
    const pending = waiting ? reader.read() : undefined;
    controller.abort(reason);
    await expect(pending ?? reader.read()).rejects.toBe(reason);
    await turns(20);
    expect(runtime.openCount).toBe(0);
    expect(records).toMatchObject([{ status: 200, errorCode: "aborted" }]);
  });
}

test("an abort before the first chunk rejects the call with the signal's reason", async () => {
  const controller = new AbortController();
  const { engine, runtime } = await openScripted({ ...ENDLESS, beforeStep: () => controller.abort() });
  await expect(ask(engine, controller.signal)).rejects.toMatchObject({ name: "AbortError" });
  await turns(20);
  expect(runtime.openCount).toBe(0);
});

test("an engine that does not hear the signal keeps nobody waiting", async () => {
  const controller = new AbortController();
  const engine = fakeEngine([]);
  const deaf = { ...engine, models: { ...engine.models, list: () => new Promise<never>(() => {}) } };
  const call = createFetchHandler(deaf)("/v1/models", { signal: controller.signal });
  controller.abort();
  await expect(call).rejects.toMatchObject({ name: "AbortError" });
});

test("after the end nothing listens to the signal any more", async () => {
  const controller = new AbortController();
  const { engine } = await openScripted({ reply: "Hello" });
  const response = await ask(engine, controller.signal);
  expect(getEventListeners(controller.signal, "abort").length).toBeGreaterThan(0);
  expect(await response.text()).toMatch(/data: \[DONE\]\n\n$/);
  expect(getEventListeners(controller.signal, "abort")).toEqual([]);
});

/** Collections until what the registry is told has been told: each is a task of its own. */
const MAX_COLLECTIONS = 200;

test("a response that nobody holds any more ends its work, also where the signal lives on", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const { engine, runtime } = await openScripted(ENDLESS);
  const controller = new AbortController();
  const records: RequestRecord[] = [];
  await (async () => {
    await ask(engine, controller.signal, records);
    const reader = (await ask(engine, controller.signal, records)).body!.getReader();
    await reader.read();
  })();
  expect(runtime.openCount).toBe(2);
  for (let i = 0; i < MAX_COLLECTIONS && records.length < 2; i++) {
    await nextTask();
    collect();
  }
  expect(records).toMatchObject([{ errorCode: "aborted" }, { errorCode: "aborted" }]);
  await turns(5);
  expect(runtime.openCount).toBe(0);
});
