// Things that fall together: an abort, a loss, an unload or short memory in the moment in which something else is half done.
import { describe, expect, test } from "vitest";
import { EngineError } from "../../src/base/errors.ts";
import { nextTask } from "../../src/base/event-loop.ts";
import { openEngine } from "../../src/engine/engine.ts";
import { modelAtHand, type OpenModel } from "../../src/engine/model-opener.ts";
import type { RuntimeHost } from "../../src/engine/runtime-host.ts";
import type { Runtime, StepBatch } from "../../src/runtime/runtime.ts";
import { memorySource } from "../../src/storage/byte-source.ts";
import {
  certain,
  createScriptedRuntime,
  MODEL,
  openScripted,
  type Script,
  type ScriptedRuntime,
  scattered,
  TOKENIZER,
} from "./scripted-runtime.ts";

const LETTER = TOKENIZER.encode("a")[0]!;
const ENDLESS: Script = { logits: () => certain(LETTER) };
const BASE = { model: "tiny", messages: [{ role: "user" as const, content: "Hi" }], seed: 5 };
const OPEN = modelAtHand({ files: [memorySource(MODEL, "tiny.gguf")] });

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await nextTask();
}

function gate() {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open: () => open() };
}

const noMemory = () => new EngineError("out_of_memory", "no pages left");
const rowsOf = ({ stage, rows }: StepBatch) => (stage === "decode" ? rows.length : 0);

/** An engine over runtimes of which every method can be replaced. */
async function openWith(change: (runtime: ScriptedRuntime) => Partial<Runtime>, script: Script = ENDLESS) {
  const hosts: { disposed: boolean }[] = [];
  const runtimes: ScriptedRuntime[] = [];
  const openHost = async (): Promise<RuntimeHost> => {
    const host = { disposed: false };
    hosts.push(host);
    return {
      adapter: "script",
      features: [],
      plan: () => ({
        bytes: 0,
        async create() {
          const runtime = createScriptedRuntime(script);
          runtimes.push(runtime);
          return { ...runtime, ...change(runtime) };
        },
      }),
      dispose() {
        host.disposed = true;
      },
    };
  };
  return { engine: await openEngine({ openHost }), hosts, runtimes };
}

describe("memory runs out", () => {
  test("in the step during which the lane that has to give way is aborted: it ends at once", async () => {
    const controller = new AbortController();
    let failed = false;
    const beforeStep = (_: number, batch: StepBatch) => {
      if (failed || rowsOf(batch) < 2) return;
      failed = true;
      controller.abort();
      throw noMemory();
    };
    const { engine, runtime } = await openScripted({ ...ENDLESS, beforeStep });
    let longEnded = false;
    const long = engine.chat.completions.create({ ...BASE, max_tokens: 150 }).finally(() => {
      longEnded = true;
    });
    const aborted = engine.chat.completions.create(BASE, { signal: controller.signal });
    await expect(aborted).rejects.toMatchObject({ code: "aborted" });
    expect(longEnded).toBe(false);
    expect(runtime.openCount).toBe(1);
    await long;
  });

  test("and the runtime cannot make any free: that step fails, and the engine goes on", async () => {
    let failures = 0;
    const { engine } = await openWith((runtime) => ({
      step: (batch, signal) => (failures++ === 3 ? Promise.reject(noMemory()) : runtime.step(batch, signal)),
      rewind: () => Promise.reject(new EngineError("disposed", "gone")),
    }));
    await engine.load({ id: "tiny", openModel: OPEN });
    const ends = await Promise.allSettled(
      [1, 2].map(() => engine.chat.completions.create({ ...BASE, max_tokens: 20 })),
    );
    for (const end of ends) expect(end).toMatchObject({ status: "rejected", reason: { code: "out_of_memory" } });
    expect((await engine.chat.completions.create({ ...BASE, max_tokens: 2 })).usage.completion_tokens).toBe(2);
  });

  test("in the middle of a prompt whose logprobs are wanted: each position is still there once", async () => {
    const params = { ...BASE, prompt_logprobs: 1, max_tokens: 2 };
    const script: Script = { logits: scattered, prefillRows: 8 };
    const expected = await (await openScripted(script)).engine.chat.completions.create(params);
    let segments = 0;
    const beforeStep = (_: number, { rows: [row] }: StepBatch) => {
      if (typeof row?.want === "object" && row.want.at === "all" && ++segments === 3) throw noMemory();
    };
    const { engine } = await openScripted({ ...script, beforeStep });
    const [, answer] = await Promise.all([
      engine.chat.completions.create({ ...BASE, max_tokens: 30 }),
      engine.chat.completions.create(params),
    ]);
    expect(segments).toBeGreaterThan(3);
    expect(answer.prompt_logprobs).toEqual(expected.prompt_logprobs);
  });

  for (const slowTurns of [0, 1, 5]) {
    test(`and forgetting takes ${slowTurns} turns of the event loop: no answer changes`, async () => {
      const ask = (seed: number) => ({ ...BASE, seed, n: 3, max_tokens: 12 });
      const seeds = [1, 2, 3, 4];
      const script: Script = { logits: scattered };
      const alone = (await openScripted(script)).engine;
      const expected: unknown[] = [];
      for (const seed of seeds) expected.push((await alone.chat.completions.create(ask(seed))).choices);
      let steps = 0;
      const { engine, runtimes } = await openWith(
        (runtime) => ({
          step: (batch, signal) =>
            rowsOf(batch) > 1 && ++steps % 3 === 0 ? Promise.reject(noMemory()) : runtime.step(batch, signal),
          async rewind(sequence, length) {
            await turns(slowTurns);
            return runtime.rewind(sequence, length);
          },
          async fork(sequence) {
            const forked = await runtime.fork(sequence);
            await turns(slowTurns);
            return forked;
          },
        }),
        script,
      );
      await engine.load({ id: "tiny", openModel: OPEN });
      const answers = await Promise.all(seeds.map((seed) => engine.chat.completions.create(ask(seed))));
      expect(answers.map(({ choices }) => choices)).toEqual(expected);
      await turns(20);
      expect(runtimes[0]!.openCount).toBe(0);
    });
  }

  test("and a reader leaves while its lane's memory is being taken: its sequence is freed after that", async () => {
    const held = gate();
    let taken = false;
    let short = false;
    const freed: number[] = [];
    const { engine, runtimes } = await openWith((runtime) => ({
      step: (batch, signal) => {
        if (!short) return runtime.step(batch, signal);
        short = false;
        return Promise.reject(noMemory());
      },
      async rewind(sequence, length) {
        taken = true;
        await held.opened;
        expect(freed).not.toContain(sequence);
        return runtime.rewind(sequence, length);
      },
      free(sequence) {
        freed.push(sequence);
        runtime.free(sequence);
      },
    }));
    await engine.load({ id: "tiny", openModel: OPEN });
    const slow = await engine.chat.completions.create({ ...BASE, stream: true });
    await turns(100); // parked by now
    short = true;
    const other = engine.chat.completions.create({ ...BASE, max_tokens: 3 });
    await turns(5);
    expect(taken).toBe(true);
    slow.controller.abort();
    await turns(5);
    held.open();
    expect((await other).usage.completion_tokens).toBe(3);
    await turns(5);
    expect(runtimes[0]!.openCount).toBe(0);
  });
});

describe("the device is lost", () => {
  test("while a model's identity is computed: the next request finds the model loaded anew", async () => {
    const { engine, runtimes, hosts } = await openWith(() => ({}), { reply: "fine" });
    const openModel: OpenModel = async (onProgress, signal) => ({
      ...(await OPEN(onProgress, signal)),
      async identity() {
        if (runtimes.length === 1) runtimes[0]!.lose();
        await turns(3);
        return "identity";
      },
    });
    await engine.load({ id: "tiny", openModel });
    await turns(1);
    expect((await engine.chat.completions.create(BASE)).choices[0]?.message.content).toBe("fine");
    expect(runtimes.map(({ disposed }) => disposed)).toEqual([true, false]);
    expect(hosts.map(({ disposed }) => disposed)).toEqual([true, false]);
  });

  test("and is told of again by a model of before: those on the new device stay", async () => {
    const { engine, runtimes, hosts } = await openWith(() => ({}), { reply: "fine" });
    await engine.load({ id: "tiny", openModel: OPEN });
    await engine.load({ id: "two", openModel: OPEN });
    runtimes[0]!.lose();
    await turns(2);
    await engine.chat.completions.create(BASE);
    runtimes[1]!.lose(); // the same old device
    await turns(2);
    await engine.chat.completions.create(BASE);
    expect(hosts.map(({ disposed }) => disposed)).toEqual([true, false]);
  });

  test("in any moment of a request's way in: it ends as lost, not as disposed", async () => {
    for (let moment = 0; moment < 40; moment++) {
      const { engine, runtimes } = await openWith((runtime) => {
        const check = () => {
          if (runtime.disposed) throw new EngineError("disposed", "The runtime was disposed of.");
        };
        return {
          open() {
            check();
            return runtime.open();
          },
          async fork(sequence) {
            check();
            return runtime.fork(sequence);
          },
        };
      });
      await engine.load({ id: "tiny", openModel: OPEN });
      const call = engine.chat.completions.create({ ...BASE, n: 4, max_tokens: 100 });
      const refused = expect(call, `after ${moment} microtasks`).rejects.toMatchObject({ code: "device_lost" });
      for (let passed = 0; passed < moment; passed++) await Promise.resolve();
      runtimes[0]!.lose();
      await refused;
    }
  });
});

describe("the engine is disposed of", () => {
  test("in the last moment of a loading: the loading fails, and nothing stays", async () => {
    const { engine, runtimes, hosts } = await openWith(() => ({}));
    let disposing: Promise<void> | undefined;
    const openModel: OpenModel = async (onProgress, signal) => ({
      ...(await OPEN(onProgress, signal)),
      async identity() {
        disposing = engine.dispose();
        return "identity";
      },
    });
    await expect(engine.load({ id: "tiny", openModel })).rejects.toMatchObject({ code: "disposed" });
    await disposing;
    expect(runtimes.map(({ disposed }) => disposed)).toEqual([true]);
    expect(hosts).toEqual([{ disposed: true }]);
  });

  test("during an unload: the host outlives the model", async () => {
    const held = gate();
    const { engine, runtimes, hosts } = await openWith((runtime) => ({
      async fork(sequence) {
        await held.opened;
        return runtime.fork(sequence);
      },
      dispose() {
        expect(hosts[0]!.disposed).toBe(false);
        runtime.dispose();
      },
    }));
    await engine.load({ id: "tiny", openModel: OPEN });
    const call = engine.chat.completions.create({ ...BASE, n: 2 });
    const refused = expect(call).rejects.toMatchObject({ code: "model_not_loaded" });
    await turns(5);
    const unloading = engine.unload("tiny");
    const disposing = engine.dispose();
    held.open();
    await Promise.all([unloading, disposing, refused]);
    expect(runtimes[0]!.disposed).toBe(true);
    expect(hosts).toEqual([{ disposed: true }]);
  });
});

test("a model that is unloaded while a request waits for it to load anew ends that request, and leaves nothing", async () => {
  const { engine, runtimes } = await openWith(() => ({}));
  const held = gate();
  let opened = 0;
  const openModel: OpenModel = async (onProgress, signal) => {
    if (opened++ === 1) await held.opened;
    return OPEN(onProgress, signal);
  };
  await engine.load({ id: "tiny", openModel });
  runtimes[0]!.lose();
  await turns(2);
  const call = engine.chat.completions.create(BASE);
  const refused = expect(call).rejects.toMatchObject({ code: "model_not_loaded" });
  await turns(2);
  const unloading = engine.unload("tiny");
  held.open();
  await Promise.all([unloading, refused]);
  expect(runtimes.every(({ disposed }) => disposed)).toBe(true);
  expect((await engine.models.list()).data).toEqual([]);
});
