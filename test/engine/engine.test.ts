import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { ChatCompletionChunk } from "../../src/api/types.ts";
import { EngineError } from "../../src/base/errors.ts";
import { nextTask } from "../../src/base/event-loop.ts";
import { openEngine } from "../../src/engine/engine.ts";
import { modelAtHand } from "../../src/engine/model-opener.ts";
import type { ProgressEvent } from "../../src/engine/progress.ts";
import type { RequestStats } from "../../src/engine/stats.ts";
import { ENGINE_VERSION } from "../../src/engine/version.ts";
import { memorySource } from "../../src/storage/byte-source.ts";
import { tinySplitModel } from "../fixtures/tiny-models.ts";
import { certain, MODEL, openScripted, type Script, scriptedHost, TOKENIZER } from "./scripted-runtime.ts";

const LETTER = TOKENIZER.encode("a")[0]!;
const ENDLESS: Script = { logits: () => certain(LETTER) };
const BASE = { model: "tiny", messages: [{ role: "user" as const, content: "Hi" }], temperature: 0 };
const STREAM = { ...BASE, stream: true as const };

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await nextTask();
}

/** A promise to hold a step with. */
function gate() {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open: () => open() };
}

test("leaving the loop frees the sequence and submits no further step", async () => {
  const { engine, runtime } = await openScripted(ENDLESS);
  let seen = 0;
  for await (const _ of await engine.chat.completions.create(STREAM)) if (++seen === 5) break;
  const submitted = runtime.steps.length;
  expect(runtime.openCount).toBe(0);
  await turns(20);
  expect(runtime.steps.length).toBe(submitted);
});

test("controller.abort() ends a stream with aborted, once, and submits no further step", async () => {
  const { engine, runtime } = await openScripted(ENDLESS);
  const stream = await engine.chat.completions.create(STREAM);
  const iterator = stream[Symbol.asyncIterator]();
  await iterator.next();
  stream.controller.abort();
  await expect(iterator.next()).rejects.toMatchObject({ code: "aborted" });
  expect(await iterator.next()).toEqual({ done: true, value: undefined });
  await turns(3);
  const submitted = runtime.steps.length;
  expect(runtime.openCount).toBe(0);
  await turns(20);
  expect(runtime.steps.length).toBe(submitted);
});

test("a stream is read once", async () => {
  const { engine } = await openScripted();
  const stream = await engine.chat.completions.create(STREAM);
  stream[Symbol.asyncIterator]();
  expect(() => stream[Symbol.asyncIterator]()).toThrow(/read once/);
});

for (const at of [0, 1, 2, 5]) {
  test(`an abort during step ${at} of a plain answer rejects it, and step ${at + 1} is never submitted`, async () => {
    const controller = new AbortController();
    const beforeStep = (step: number) => {
      if (step === at) controller.abort();
    };
    const { engine, runtime } = await openScripted({ ...ENDLESS, prefillRows: 8, beforeStep });
    const call = engine.chat.completions.create(BASE, { signal: controller.signal });
    await expect(call).rejects.toMatchObject({ code: "aborted" });
    expect(runtime.steps.length).toBe(at + 1);
    expect(runtime.openCount).toBe(0);
  });
}

test("a signal that has fired already costs no step", async () => {
  const { engine, runtime } = await openScripted();
  const call = engine.chat.completions.create(BASE, { signal: AbortSignal.abort() });
  await expect(call).rejects.toMatchObject({ code: "aborted" });
  expect(runtime.steps.length).toBe(0);
});

test("an abort while queued leaves the queue and disturbs nobody", async () => {
  const hold = gate();
  const { engine, runtime } = await openScripted({ beforeStep: (step) => (step === 0 ? hold.opened : undefined) });
  const controller = new AbortController();
  const first = engine.chat.completions.create(BASE);
  const second = engine.chat.completions.create(BASE, { signal: controller.signal });
  const third = engine.chat.completions.create(BASE);
  await turns(3);
  controller.abort();
  await expect(second).rejects.toMatchObject({ code: "aborted" });
  hold.open();
  expect((await first).choices[0]?.message.content).toBe("Hello");
  expect((await third).choices[0]?.message.content).toBe("Hello");
  expect(runtime.openCount).toBe(0);
});

test("requests at once all finish, in order of arrival, with their own text", async () => {
  const words = ["rain", "snow", "wind", "hail"];
  /** Answers with what was asked. */
  const logits = (ids: readonly number[], promptLength: number) => {
    const prompt = TOKENIZER.decode(ids.slice(0, promptLength));
    const word = words.find((name) => prompt.includes(name)) ?? "";
    return certain([...TOKENIZER.encode(word)][ids.length - promptLength] ?? TOKENIZER.eosId!);
  };
  const { engine, runtime } = await openScripted({ logits });
  const ended: string[] = [];
  const answers = await Promise.all(
    words.map(async (content) => {
      const answer = await engine.chat.completions.create({ ...BASE, messages: [{ role: "user", content }] });
      ended.push(content);
      return answer.choices[0]?.message.content;
    }),
  );
  expect(answers).toEqual(words);
  expect(ended).toEqual(words);
  expect(runtime.openCount).toBe(0);
});

test("a reader that stops is parked within 64 chunks, and others go on", async () => {
  const { engine, runtime } = await openScripted(ENDLESS);
  const slow = await engine.chat.completions.create({ ...STREAM, max_tokens: 150 });
  await turns(300);
  const parkedAt = runtime.steps.length;
  expect(parkedAt).toBeLessThanOrEqual(65);
  expect(parkedAt).toBeGreaterThan(50);
  expect((await engine.chat.completions.create({ ...BASE, max_tokens: 3 })).usage.completion_tokens).toBe(3);
  expect(runtime.openCount).toBe(1);
  const chunks: ChatCompletionChunk[] = [];
  for await (const chunk of slow) chunks.push(chunk);
  expect(chunks.length).toBe(152);
  expect(runtime.openCount).toBe(0);
});

test("with room for one sequence a request waits for a parked one, and an abort of that one lets it run", async () => {
  const { engine, runtime } = await openScripted({ ...ENDLESS, maxSequences: 1 });
  const slow = await engine.chat.completions.create(STREAM);
  await turns(100);
  const waiting = engine.chat.completions.create({ ...BASE, max_tokens: 3 });
  await turns(20);
  expect(runtime.openCount).toBe(1);
  slow.controller.abort();
  expect((await waiting).usage.completion_tokens).toBe(3);
  expect(runtime.openCount).toBe(0);
});

for (const [code, failure] of [
  ["out_of_memory", () => new EngineError("out_of_memory", "no pages left")],
  ["numeric_fault", () => new EngineError("numeric_fault", "NaN in layer 3")],
] as const) {
  test(`${code} in a step ends its request once and leaves the engine working`, async () => {
    const beforeStep = (step: number) => {
      if (step === 2) throw failure();
    };
    const { engine, runtime } = await openScripted({ beforeStep });
    const chunks: ChatCompletionChunk[] = [];
    const read = async () => {
      for await (const chunk of await engine.chat.completions.create(STREAM)) chunks.push(chunk);
    };
    await expect(read()).rejects.toMatchObject({ code });
    expect(chunks.length).toBeGreaterThan(1);
    expect(runtime.openCount).toBe(0);
    expect((await engine.chat.completions.create(BASE)).choices[0]?.message.content).toBe("Hello");
  });
}

test("NaN logits are a numeric_fault, and no token comes of them", async () => {
  const { engine, runtime } = await openScripted({ logits: () => certain(0).fill(Number.NaN) });
  await expect(engine.chat.completions.create(BASE)).rejects.toMatchObject({ code: "numeric_fault" });
  expect(runtime.steps.length).toBe(1);
  expect(runtime.openCount).toBe(0);
});

test("dispose rejects what runs with disposed, frees everything, and every later call", async () => {
  const { engine, runtime } = await openScripted(ENDLESS);
  const running = engine.chat.completions.create(BASE);
  const stream = await engine.chat.completions.create(STREAM);
  const read = async () => {
    for await (const _ of stream);
  };
  const ends = Promise.allSettled([running, read()]);
  await turns(5);
  await engine.dispose();
  const submitted = runtime.steps.length;
  for (const end of await ends) expect(end).toMatchObject({ status: "rejected", reason: { code: "disposed" } });
  expect(runtime.openCount).toBe(0);
  expect(runtime.disposed).toBe(true);
  await expect(engine.chat.completions.create(BASE)).rejects.toMatchObject({ code: "disposed" });
  await engine.dispose();
  await turns(10);
  expect(runtime.steps.length).toBe(submitted);
});

test("figures come once for each request, with how it ended", async () => {
  const stats: RequestStats[] = [];
  let controller: AbortController | undefined;
  const script = { reply: "the", beforeStep: () => controller?.abort() };
  const { engine } = await openScripted(script, { onStats: (figures) => stats.push(figures) });
  const answer = await engine.chat.completions.create(BASE);
  await engine.chat.completions.create({ ...BASE, max_tokens: 1 });
  controller = new AbortController();
  const aborted = engine.chat.completions.create(BASE, { signal: controller.signal });
  await expect(aborted).rejects.toMatchObject({ code: "aborted" });
  expect(stats.map(({ finish }) => finish)).toEqual(["stop", "length", "aborted"]);
  expect(stats[0]).toMatchObject({
    id: answer.id,
    promptTokens: answer.usage.prompt_tokens,
    completionTokens: answer.usage.completion_tokens,
    cachedTokens: 0,
  });
  expect(stats[0]!.firstTokenMs).toBeGreaterThanOrEqual(stats[0]!.prefillMs);
});

test("loading reports ready last, and says what was loaded", async () => {
  const events: ProgressEvent[] = [];
  const { engine } = await openScripted({}, { onProgress: (event) => events.push(event), id: "my-model" });
  expect(events.at(-1)).toMatchObject({ phase: "ready", bytes: MODEL.byteLength, total: MODEL.byteLength });
  expect(engine.info).toMatchObject({
    id: "my-model",
    architecture: "llama",
    contextLength: 256,
    vocabSize: TOKENIZER.vocabSize,
    template: "model",
    tokenizer: "gpt2 / gpt-2",
    fileBytes: MODEL.byteLength,
  });
  const { model, system_fingerprint } = await engine.chat.completions.create({ ...BASE, model: "my-model" });
  expect([model, system_fingerprint]).toEqual(["my-model", engine.info.fingerprint]);
});

test("the fingerprint names the weights: a flipped bit changes it, a second load does not", async () => {
  const flipped = MODEL.slice();
  flipped[flipped.length - 1]! ^= 1;
  const fingerprint = async (bytes: Uint8Array) => {
    const openModel = modelAtHand({ files: [memorySource(bytes)] });
    return (await openEngine({ openModel, openHost: scriptedHost({}).open })).info.fingerprint;
  };
  expect(await fingerprint(MODEL)).toBe(await fingerprint(MODEL.slice()));
  expect(await fingerprint(flipped)).not.toBe(await fingerprint(MODEL));
});

test("a split model loads from its parts in any order", async () => {
  const files = tinySplitModel(3, { tokenizer: true, layerCount: 1 }).map((bytes) => memorySource(bytes));
  const engine = await openEngine({
    id: "tiny",
    openModel: modelAtHand({ files: files.reverse() }),
    openHost: scriptedHost({}).open,
  });
  expect((await engine.chat.completions.create(BASE)).choices[0]?.message.content).toBe("Hello");
});

test("without WebGPU nothing is opened, let alone downloaded", async () => {
  let opened = 0;
  const openHost = () => Promise.reject(new EngineError("webgpu_unavailable", "none", { details: { reason: "none" } }));
  const openModel = () => {
    opened++;
    return Promise.reject(new Error("not reached"));
  };
  await expect(openEngine({ openModel, openHost })).rejects.toMatchObject({ code: "webgpu_unavailable" });
  expect(opened).toBe(0);
});

test("a load that fails closes what was opened", async () => {
  const closed: string[] = [];
  const host = scriptedHost({});
  const openHost = async () => ({ ...(await host.open()), dispose: () => closed.push("host") });
  const openModel = async () => ({
    source: { files: [memorySource(MODEL.subarray(0, 100))] },
    startBody: () => {},
    finish: async () => [],
    identity: async () => "",
    close: () => closed.push("model"),
  });
  await expect(openEngine({ openModel, openHost: openHost as never })).rejects.toMatchObject({
    code: "model_malformed",
  });
  expect(closed).toEqual(["model", "host"]);
});

test("an abort ends the loading", async () => {
  const controller = new AbortController();
  const host = scriptedHost({});
  const openHost = async () => {
    controller.abort();
    return host.open();
  };
  const openModel = modelAtHand({ files: [memorySource(MODEL)] });
  const loading = openEngine({ openModel, openHost, signal: controller.signal });
  await expect(loading).rejects.toMatchObject({ code: "aborted" });
});

test("the engine's version is the package's", () => {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  expect(ENGINE_VERSION).toBe((JSON.parse(text) as { version: string }).version);
});
