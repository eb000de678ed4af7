// Several models in one engine: by name, on one device, within one memory budget.
import { describe, expect, test } from "vitest";
import { EngineError } from "../../src/base/errors.ts";
import { type EngineOptions, openEngine } from "../../src/engine/engine.ts";
import type { OpenModel } from "../../src/engine/model-opener.ts";
import { modelAtHand } from "../../src/engine/model-opener.ts";
import type { RuntimeHost } from "../../src/engine/runtime-host.ts";
import { memorySource } from "../../src/storage/byte-source.ts";
import {
  certain,
  createScriptedRuntime,
  MODEL,
  type Script,
  type ScriptedRuntime,
  TOKENIZER,
} from "./scripted-runtime.ts";

const ask = (model: string) => ({ model, messages: [{ role: "user" as const, content: "Hi" }], temperature: 0 });
const ENDLESS: Script = { logits: () => certain(TOKENIZER.encode("a")[0]!) };
const OPEN = modelAtHand({ files: [memorySource(MODEL, "tiny.gguf")] });

/** Hosts that are counted, with runtimes that play the scripts in turn and take `bytes` each. */
function countedHosts(scripts: readonly Script[] = [{}], bytes = 0) {
  const hosts: { disposed: boolean }[] = [];
  const runtimes: ScriptedRuntime[] = [];
  const wishes: { contextLength?: number | undefined; availableBytes: number }[] = [];
  const open = async (): Promise<RuntimeHost> => {
    const host = { disposed: false };
    hosts.push(host);
    return {
      adapter: "script",
      features: [],
      plan(_spec, wish) {
        wishes.push(wish);
        if (wish.availableBytes < bytes)
          throw new EngineError("out_of_memory", `${bytes} of ${wish.availableBytes}`, {
            details: { requestedBytes: bytes, heldBytes: 0 },
          });
        return {
          bytes,
          async create() {
            const runtime = createScriptedRuntime(scripts[runtimes.length % scripts.length]!);
            runtimes.push(runtime);
            return runtime;
          },
        };
      },
      dispose() {
        host.disposed = true;
      },
    };
  };
  return { open, hosts, runtimes, wishes };
}

async function openTwo(scripts?: readonly Script[], options: Partial<EngineOptions> = {}) {
  const host = countedHosts(scripts);
  const engine = await openEngine({ openHost: host.open, openModel: OPEN, id: "one", ...options });
  await engine.load({ openModel: OPEN, id: "two" });
  return { engine, ...host };
}

test("each request is answered by the model that it names, and says so; one device serves them all", async () => {
  const { engine, hosts } = await openTwo([{ reply: "rain" }, { reply: "snow" }]);
  const answers = await Promise.all(["one", "two", "one"].map((name) => engine.chat.completions.create(ask(name))));
  expect(answers.map(({ model, choices }) => [model, choices[0]?.message.content])).toEqual([
    ["one", "rain"], ["two", "snow"], ["one", "rain"],
  ]); // biome-ignore format: a table
  expect(hosts.length).toBe(1);
  expect(engine.info.id).toBe("one");
});

test("models are listed in the order of loading, in OpenAI's form, and retrieved by name", async () => {
  const { engine } = await openTwo();
  const list = await engine.models.list();
  expect(list.object).toBe("list");
  expect(list.data.map(({ id }) => id)).toEqual(["one", "two"]);
  const { created, ...model } = await engine.models.retrieve("two");
  expect(model).toEqual({ id: "two", object: "model", owned_by: "ingle" });
  expect(Math.abs(created - Date.now() / 1000)).toBeLessThan(60);
  await expect(engine.models.retrieve("three")).rejects.toMatchObject({ code: "model_not_found", status: 404 });
});

test("an unknown model is 404 and names those that are there, before anything else is checked", async () => {
  const { engine } = await openTwo();
  const call = engine.chat.completions.create({ ...ask("three"), temperature: 9 });
  await expect(call).rejects.toMatchObject({
    code: "model_not_found",
    status: 404,
    param: "model",
    message: "The model 'three' is not loaded. Loaded: 'one', 'two'.",
  });
  const long = engine.chat.completions.create(ask("x".repeat(10_000)));
  await expect(long).rejects.toMatchObject({ message: expect.stringMatching(/^.{1,200}$/) });
});

test("an engine opens without a model, and says that none is loaded", async () => {
  const host = countedHosts();
  const engine = await openEngine({ openHost: host.open });
  expect(host.hosts.length).toBe(0);
  expect(() => engine.info).toThrow(/No model is loaded/);
  expect((await engine.models.list()).data).toEqual([]);
  await expect(engine.chat.completions.create(ask("one"))).rejects.toMatchObject({ code: "model_not_found" });
  expect((await engine.load({ openModel: OPEN, id: "one" })).id).toBe("one");
  expect((await engine.chat.completions.create(ask("one"))).choices[0]?.message.content).toBe("Hello");
});

describe("unloading", () => {
  test("ends what runs on the model, frees it, and leaves the other running", async () => {
    const { engine, runtimes } = await openTwo([ENDLESS]);
    const [gone, kept] = [
      engine.chat.completions.create(ask("one")),
      engine.chat.completions.create({ ...ask("two"), max_tokens: 30 }),
    ];
    const refused = expect(gone).rejects.toMatchObject({ code: "model_not_loaded" });
    await engine.unload("one");
    await refused;
    expect([runtimes[0]!.disposed, runtimes[0]!.openCount, runtimes[1]!.disposed]).toEqual([true, 0, false]);
    expect((await kept).usage.completion_tokens).toBe(30);
    expect(engine.info.id).toBe("two");
    await expect(engine.chat.completions.create(ask("one"))).rejects.toMatchObject({ code: "model_not_found" });
    await expect(engine.unload("one")).rejects.toMatchObject({ code: "model_not_found" });
  });

  test("makes the id free for another", async () => {
    const { engine } = await openTwo([{ reply: "old" }, {}, { reply: "new" }]);
    await expect(engine.load({ openModel: OPEN, id: "one" })).rejects.toMatchObject({
      code: "invalid_request",
      param: "id",
    });
    await engine.unload("one");
    await engine.load({ openModel: OPEN, id: "one" });
    expect((await engine.chat.completions.create(ask("one"))).choices[0]?.message.content).toBe("new");
  });
});

test("two loads of one id at once: the second is refused; of one unnamed file, the later one", async () => {
  const host = countedHosts();
  const engine = await openEngine({ openHost: host.open });
  const load = (id?: string) => engine.load({ openModel: OPEN, ...(id !== undefined && { id }) });
  const named = await Promise.allSettled([load("a"), load("a")]);
  expect(named.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
  const unnamed = await Promise.allSettled([load(), load()]);
  expect(unnamed.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  expect(host.runtimes.filter(({ disposed }) => !disposed).length).toBe(2);
});

describe("the memory budget", () => {
  const opened = (bytes: number): { openModel: OpenModel; bodies: number[] } => {
    const bodies: number[] = [];
    const openModel: OpenModel = async (onProgress, signal) => ({
      ...(await OPEN(onProgress, signal)),
      startBody: () => bodies.push(bytes),
    });
    return { openModel, bodies };
  };

  test("is shared: a model that no longer fits is refused before its weights are fetched, and fits after an unload", async () => {
    const host = countedHosts([{}], 400);
    const engine = await openEngine({
      openHost: host.open,
      memoryBudget: 1000,
      openModel: OPEN,
      id: "one",
      contextLength: 64,
    });
    await engine.load({ openModel: OPEN, id: "two", contextLength: 64 });
    const { openModel, bodies } = opened(400);
    const third = engine.load({ openModel, id: "three", contextLength: 64 });
    await expect(third).rejects.toMatchObject({ code: "out_of_memory", details: { requestedBytes: 400 } });
    expect(bodies).toEqual([]);
    expect(host.wishes.map(({ availableBytes }) => availableBytes)).toEqual([1000, 600, 200]);
    await engine.unload("two");
    await engine.load({ openModel, id: "three", contextLength: 64 });
    expect(bodies).toEqual([400]);
  });

  test("is 1 GiB unless told otherwise, and a model that asks for no context is offered half of what is left", async () => {
    const host = countedHosts([{}], 100);
    const engine = await openEngine({ openHost: host.open, openModel: OPEN, id: "one" });
    await engine.load({ openModel: OPEN, id: "two", contextLength: 64, kvCache: "q8_0" });
    expect(host.wishes).toEqual([
      { contextLength: undefined, kvCache: "f16", availableBytes: 2 ** 29 },
      { contextLength: 64, kvCache: "q8_0", availableBytes: 2 ** 30 - 100 },
    ]);
  });

  test("gets everything back from a load that fails", async () => {
    const host = countedHosts([{}], 600);
    const engine = await openEngine({ openHost: host.open, memoryBudget: 1000 });
    const openModel: OpenModel = async (onProgress, signal) => ({
      ...(await OPEN(onProgress, signal)),
      finish: () => Promise.reject(new EngineError("integrity_mismatch", "flipped bits")),
    });
    const broken = engine.load({ openModel, id: "one", contextLength: 64 });
    await expect(broken).rejects.toMatchObject({ code: "integrity_mismatch" });
    expect((await engine.load({ openModel: OPEN, id: "one", contextLength: 64 })).id).toBe("one");
  });
});

test("a lost device takes all models with it: who is at work comes back at once, who is not with its next request", async () => {
  const { engine, hosts, runtimes } = await openTwo([{ reply: "fine" }]);
  const call = engine.chat.completions.create(ask("two"));
  runtimes[0]!.lose();
  expect((await call).choices[0]?.message.content).toBe("fine");
  expect(hosts.map(({ disposed }) => disposed)).toEqual([true, false]);
  expect([hosts.length, runtimes.length]).toEqual([2, 3]);
  await engine.chat.completions.create({ ...ask("one"), max_tokens: 1 });
  expect([hosts.length, runtimes.length]).toEqual([2, 4]);
});

test("after a loss each model has the memory that it had, in whatever order they come back", async () => {
  const host = countedHosts([{ reply: "fine" }], 300);
  const engine = await openEngine({ openHost: host.open, memoryBudget: 1600 });
  for (const id of ["one", "two"]) await engine.load({ openModel: OPEN, id });
  const { contextLength } = engine.info;
  host.runtimes[0]!.lose();
  for (const id of ["two", "one"]) await engine.chat.completions.create(ask(id));
  const wishes = host.wishes.map(({ contextLength, availableBytes }) => [contextLength, availableBytes]);
  expect(wishes).toEqual([
    [undefined, 800],
    [undefined, 650],
    [contextLength, 300],
    [contextLength, 300],
  ]);
  await engine.load({ openModel: OPEN, id: "three", contextLength: 64 });
  expect(host.wishes.at(-1)).toMatchObject({ contextLength: 64, availableBytes: 1000 });
});

test("dispose ends the calls of all models and frees the device", async () => {
  const { engine, hosts, runtimes } = await openTwo([ENDLESS]);
  const ends = Promise.allSettled(["one", "two"].map((name) => engine.chat.completions.create(ask(name))));
  await engine.dispose();
  for (const end of await ends) expect(end).toMatchObject({ reason: { code: "disposed" } });
  expect(runtimes.map(({ disposed }) => disposed)).toEqual([true, true]);
  expect(hosts).toEqual([{ disposed: true }]);
  await expect(engine.load({ openModel: OPEN, id: "three" })).rejects.toMatchObject({ code: "disposed" });
});

test.each([
  ["SmolLM2-135M-Instruct.Q4_1.gguf", "SmolLM2-135M-Instruct.Q4_1"],
  ["/models/tiny.GGUF", "tiny"],
  ["C:\\models\\tiny.gguf", "tiny"],
  ["https://host/a%20b/tiny%20one.gguf?download=true#x", "tiny one"],
  ["tiny-00001-of-00003.gguf", "tiny"],
  ["tiny%.gguf", "tiny%"],
])("a model without an id is called as its file: %s", async (file, id) => {
  const host = countedHosts();
  const openModel = modelAtHand({ files: [memorySource(MODEL, file)] });
  expect((await openEngine({ openHost: host.open, openModel })).info.id).toBe(id);
});
