// The device is lost under requests: they go on with another one, token for token as if nothing had been, or end with one error.
import { describe, expect, test, vi } from "vitest";
import type { ChatCompletionChunk } from "../../src/api/types.ts";
import { EngineError } from "../../src/base/errors.ts";
import { openEngine } from "../../src/engine/engine.ts";
import type { OpenModel } from "../../src/engine/model-opener.ts";
import type { ProgressEvent } from "../../src/engine/progress.ts";
import type { RuntimeHost } from "../../src/engine/runtime-host.ts";
import type { RequestStats } from "../../src/engine/stats.ts";
import type { StepBatch } from "../../src/runtime/runtime.ts";
import { BASE, ENDLESS, gate, OPEN, openWith, turns } from "./changed-runtime.ts";
import { createScriptedRuntime, type Script, type ScriptedRuntime, scattered } from "./scripted-runtime.ts";

const SCRIPT: Script = { logits: scattered, prefillRows: 8, maxSequences: 4 };
const ASK = { ...BASE, n: 3, max_tokens: 9, logprobs: true, top_logprobs: 2, prompt_logprobs: 1 };
const LOST = { code: "device_lost" };

interface OpenOptions {
  readonly script?: Script;
  /** Before each step of the `index`-th runtime. */
  readonly onStep?: (runtime: ScriptedRuntime, index: number, batch: StepBatch) => Promise<void> | void;
  /** How often the model is opened without an error; then with `failure`. */
  readonly openings?: number;
  readonly failure?: Error;
  /** Holds every loading but the first. */
  readonly reload?: Promise<void>;
  readonly fingerprint?: (index: number) => string;
  readonly onStats?: (stats: RequestStats) => void;
  readonly onStall?: (stall: { readonly stage: string }) => void;
  readonly onProgress?: (event: ProgressEvent) => void;
}

async function open(options: OpenOptions = {}) {
  const { script = SCRIPT, onStep, openings = Number.POSITIVE_INFINITY, failure, reload, fingerprint } = options;
  const runtimes: ScriptedRuntime[] = [];
  let opened = 0;
  const openModel: OpenModel = async (onProgress, signal) => {
    if (opened++ > 0) await reload;
    if (opened > openings) throw failure;
    return OPEN(onProgress, signal);
  };
  const openHost = async (): Promise<RuntimeHost> => ({
    adapter: "script",
    features: [],
    plan: () => ({
      bytes: 0,
      async create() {
        const index = runtimes.length;
        const runtime = createScriptedRuntime({
          ...script,
          beforeStep: (_step, batch) => onStep?.(runtime, index, batch),
        });
        runtimes.push(runtime);
        return { ...runtime, info: { ...runtime.info, fingerprint: { adapter: fingerprint?.(index) ?? "script" } } };
      },
    }),
    dispose() {},
  });
  const { onStats, onStall, onProgress } = options;
  const engine = await openEngine({
    openHost,
    openModel,
    id: "tiny",
    ...(onStats && { onStats }),
    ...(onStall && { onStall }),
    ...(onProgress && { onProgress }),
  });
  return { engine, runtimes };
}

type Engine = Awaited<ReturnType<typeof open>>["engine"];

/** All that an answer says, but for its id and its time. */
async function plain(engine: Engine, params: object = {}) {
  const { choices, usage, prompt_logprobs } = await engine.chat.completions.create({ ...ASK, ...params });
  return { choices, usage, prompt_logprobs };
}

async function streamed(engine: Engine, params: object = {}) {
  const chunks: ChatCompletionChunk[] = [];
  for await (const chunk of await engine.chat.completions.create({ ...ASK, ...params, stream: true }))
    chunks.push(chunk);
  return chunks.map(({ choices, usage, prompt_logprobs }) => ({ choices, usage, prompt_logprobs }));
}

const byIndex = (chunks: Awaited<ReturnType<typeof streamed>>) =>
  [0, 1, 2].map((wanted) => chunks.flatMap(({ choices }) => choices).filter(({ index }) => index === wanted));

describe("an answer goes on with the tokens that it would have had", () => {
  test("when the device is lost before any one of its steps", async () => {
    const { engine, runtimes } = await open();
    const expected = { plain: await plain(engine), streamed: byIndex(await streamed(engine)) };
    const steps = runtimes[0]!.steps.length / 2;
    expect(steps).toBeGreaterThan(10); // three segments of the prompt, then eight tokens
    for (let at = 0; at < steps; at++) {
      let left = at;
      const onStep = (runtime: ScriptedRuntime) => {
        if (left-- === 0) runtime.lose();
      };
      const ended: string[] = [];
      const disturbed = await open({ onStep, onStats: ({ finish }) => ended.push(finish) });
      expect(await plain(disturbed.engine), `step ${at}`).toEqual(expected.plain);
      left = at;
      expect(byIndex(await streamed(disturbed.engine)), `step ${at}`).toEqual(expected.streamed);
      await turns(1);
      expect(ended).toEqual(["length", "length"]);
      expect(disturbed.runtimes.map(({ disposed }) => disposed)).toEqual([true, true, false]);
      expect(disturbed.runtimes[2]!.openCount).toBe(0);
    }
  });

  test("when a step finds the device lost before the device says so", async () => {
    const expected = await plain((await open()).engine);
    let left = 5;
    const { engine, runtimes } = await open({
      onStep() {
        if (left-- === 0) throw new EngineError("device_lost", "gone");
      },
    });
    expect(await plain(engine)).toEqual(expected);
    expect(runtimes.map(({ disposed }) => disposed)).toEqual([true, false]);
  });

  test("in any moment of its way in", async () => {
    const expected = await plain((await openWith(() => ({}), SCRIPT).then(load)).engine, { n: 4 });
    for (let moment = 0; moment < 60; moment++) {
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
      }, SCRIPT).then(load);
      const call = plain(engine, { n: 4 });
      for (let passed = 0; passed < moment; passed++) await Promise.resolve();
      runtimes[0]!.lose();
      expect(await call, `after ${moment} microtasks`).toEqual(expected);
      expect(runtimes.at(-1)!.openCount).toBe(0);
    }
  });

  test("when it waits for its turn, computes, or is parked behind a slow reader", async () => {
    const script = { ...SCRIPT, maxSequences: 3, prefillRows: 64 };
    const never = new Promise<void>(() => {});
    const requests = [
      { n: 1, max_tokens: 200 },
      { n: 1, max_tokens: 50 },
      { n: 2, seed: 9 },
    ];
    const alone = (await open({ script })).engine;
    const expected = [byIndex(await streamed(alone, requests[0])), await plain(alone, requests[1])];
    expected.push(await plain(alone, requests[2]));

    const { engine, runtimes } = await open({
      script,
      onStep: (runtime, index) => (index === 0 && runtime.steps.length === 90 ? never : undefined),
    });
    const unread = await engine.chat.completions.create({ ...ASK, ...requests[0], stream: true });
    await turns(120);
    const ends = Promise.all([plain(engine, requests[1]), plain(engine, requests[2])]);
    await turns(100);
    expect(runtimes[0]!.steps.length).toBe(90); // in mid-answer of the second
    runtimes[0]!.lose();
    const answers = await ends;
    const parked: Awaited<ReturnType<typeof streamed>> = [];
    for await (const { choices, usage, prompt_logprobs } of unread) parked.push({ choices, usage, prompt_logprobs });
    expect([byIndex(parked), ...answers]).toEqual(expected);
    expect(runtimes.length).toBe(2);
    expect(runtimes[1]!.openCount).toBe(0);
  });

  test("however often, as long as there is a token in between", async () => {
    const params = { n: 1, max_tokens: 20 };
    const expected = await plain((await open()).engine, params);
    const made = new Map<ScriptedRuntime, number>();
    const { engine, runtimes } = await open({
      onStep(runtime, _index, { stage, rows }) {
        // Each runtime is lost while it computes its second new token.
        const news = stage === "decode" && rows.some(({ want }) => want !== "none");
        const count = (made.get(runtime) ?? 0) + Number(news);
        made.set(runtime, count);
        if (count === 2) runtime.lose();
      },
    });
    expect(await plain(engine, params)).toEqual(expected);
    expect(runtimes.length).toBeGreaterThan(5);
  });

  test("and nobody loads the model for a reader who does not read", async () => {
    const { engine, runtimes } = await open({ script: { ...ENDLESS, prefillRows: 64 } });
    const params = { n: 1, max_tokens: 150 };
    const expected = await streamed(engine, params);
    const unread = await engine.chat.completions.create({ ...ASK, ...params, stream: true });
    await turns(150);
    runtimes[0]!.lose();
    await turns(20);
    expect(runtimes.length).toBe(1);
    const chunks: ChatCompletionChunk[] = [];
    for await (const chunk of unread) chunks.push(chunk);
    expect(chunks.map(({ choices }) => choices)).toEqual(expected.map(({ choices }) => choices));
    expect(runtimes.length).toBe(2);
  });
});

describe("an answer ends with one error", () => {
  test("device_lost, when the model cannot be loaded anew; a later call tries again", async () => {
    const failure = new EngineError("out_of_memory", "no room", { details: { requestedBytes: 9, heldBytes: 3 } });
    const { engine, runtimes } = await open({ openings: 1, failure, onStep: (runtime) => runtime.lose() });
    const stats = await Promise.allSettled([plain(engine), streamed(engine)]);
    for (const end of stats)
      expect(end).toMatchObject({ reason: { ...LOST, message: expect.stringContaining("no room"), cause: failure } });
    await expect(plain(engine)).rejects.toBe(failure);
    expect(runtimes.length).toBe(1);
  });

  test("device_lost, at the third loss without a token in between, also of those during the loading", async () => {
    let loses = true;
    const lose = (runtime: ScriptedRuntime) => void (loses && runtime.lose());
    const computing = await open({ onStep: lose });
    await expect(plain(computing.engine)).rejects.toMatchObject(LOST);
    expect(computing.runtimes.length).toBe(3);
    const failure = new EngineError("device_lost", "gone again");
    const loading = await open({ openings: 1, failure, onStep: lose });
    await expect(plain(loading.engine)).rejects.toMatchObject(LOST);
    loses = false;
    expect((await plain(computing.engine)).choices.length).toBe(3);
  });

  test("device_lost, when what came back would compute other bits", async () => {
    const { engine } = await open({
      fingerprint: (index) => `adapter ${index}`,
      onStep: (runtime, index) => index === 0 && runtime.lose(),
    } as OpenOptions);
    await expect(plain(engine)).rejects.toMatchObject({ ...LOST, message: expect.stringContaining("another") });
    expect((await plain(engine)).choices.length).toBe(3);
  });

  test.each([
    ["aborted", (_engine: Engine, controller: AbortController) => controller.abort()],
    ["model_not_loaded", (engine: Engine) => engine.unload("tiny")],
    ["disposed", (engine: Engine) => engine.dispose()],
  ] as const)("%s, at once, when that comes while the model is loaded anew", async (code, end) => {
    const held = gate();
    const ended: string[] = [];
    const { engine, runtimes } = await open({
      reload: held.opened,
      onStep: (runtime, index) => void (index === 0 && runtime.steps.length === 5 && runtime.lose()),
      onStats: ({ finish }) => ended.push(finish),
    });
    const controller = new AbortController();
    const call = engine.chat.completions.create(ASK, { signal: controller.signal });
    const refused = expect(call).rejects.toMatchObject({ code });
    await turns(20);
    expect(ended).toEqual([]);
    const ending = end(engine, controller);
    await refused; // while the loading is held
    held.open();
    await ending;
    await turns(5);
    expect(ended).toEqual([code]);
    for (const runtime of runtimes.slice(1))
      expect([runtime.openCount, runtime.disposed]).toEqual([0, code !== "aborted"]);
  });
});

test("a loading that takes long is told of, and so is how far it is", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  try {
    const held = gate();
    const stages: string[] = [];
    const phases: string[] = [];
    const { engine } = await open({
      reload: held.opened,
      onStep: (runtime, index) => void (index === 0 && runtime.steps.length === 5 && runtime.lose()),
      onStall: ({ stage }) => stages.push(stage),
      onProgress: ({ phase }) => phases.push(phase),
    });
    const answer = plain(engine);
    await turns(20);
    vi.advanceTimersByTime(19_000);
    expect(stages).toEqual([]);
    vi.advanceTimersByTime(2000);
    expect(stages).toEqual(["load"]);
    held.open();
    await answer;
    expect(phases).toEqual(["ready", "ready"]);
    vi.advanceTimersByTime(60_000);
    expect(stages).toEqual(["load"]);
  } finally {
    vi.useRealTimers();
  }
});

async function load<Opened extends { readonly engine: Engine }>(opened: Opened): Promise<Opened> {
  await opened.engine.load({ id: "tiny", openModel: OPEN });
  return opened;
}
