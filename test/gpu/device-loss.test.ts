// A device is destroyed at five points of a request's life: the answer is the one of a quiet run, to the bit of each logprob.
import { afterAll, expect, test } from "vitest";
import type { ChatCompletionChunk } from "../../src/api/types.ts";
import { nextTask } from "../../src/base/event-loop.ts";
import { openEngine } from "../../src/engine/engine.ts";
import { gpuHost } from "../../src/engine/gpu-host.ts";
import { modelAtHand, type OpenModel } from "../../src/engine/model-opener.ts";
import type { Device } from "../../src/gpu/device.ts";
import type { StepBatch } from "../../src/runtime/runtime.ts";
import { memorySource } from "../../src/storage/byte-source.ts";
import { tinyModel } from "../fixtures/tiny-models.ts";
import { describeFirstAdapter, type TestAdapter } from "./adapters.ts";
import { wrappedHost } from "./wrapped-host.ts";

const MODEL = tinyModel({ tokenizer: true, format: "Q4_0", contextLength: 512, seed: 7 });
const OPEN = modelAtHand({ files: [memorySource(MODEL)] });
/** Over a page and over two segments of a CPU adapter. */
const PROMPT = "p".repeat(70);
const ASK = {
  model: "tiny",
  messages: [{ role: "user" as const, content: PROMPT }],
  seed: 3,
  n: 2,
  max_tokens: 8,
  ignore_eos: true,
  logprobs: true,
  top_logprobs: 3,
  return_token_ids: true,
};

/** An engine of which every step is seen, before it and after it. */
async function open(adapter: TestAdapter, openModel: OpenModel = OPEN) {
  const devices: Device[] = [];
  const watch: { before?: (batch: StepBatch) => void; after?: (batch: StepBatch) => void } = {};
  const openGpu = gpuHost(await adapter.gpu(), { onDevice: (device) => devices.push(device) });
  const openHost = wrappedHost(openGpu, (runtime) => ({
    ...runtime,
    async step(batch, signal) {
      watch.before?.(batch);
      const result = await runtime.step(batch, signal);
      watch.after?.(batch);
      return result;
    },
  }));
  const engine = await openEngine({ id: "tiny", openModel, openHost, isolateUsers: true });
  return { engine, devices, watch, lose: () => devices.at(-1)!.gpu.destroy() };
}

type Opened = Awaited<ReturnType<typeof open>>;

async function read(chunks: AsyncIterable<ChatCompletionChunk>) {
  const choices: ChatCompletionChunk["choices"] = [];
  for await (const chunk of chunks) choices.push(...chunk.choices);
  return [0, 1].map((wanted) => choices.filter(({ index }) => index === wanted));
}

async function streamed({ engine }: Opened, params: object = {}) {
  return read(await engine.chat.completions.create({ ...ASK, ...params, stream: true }));
}

async function plain({ engine }: Opened, params: object = {}) {
  const { choices, usage } = await engine.chat.completions.create({ ...ASK, ...params });
  return { choices, usage };
}

/** Loses the device once, as soon as `happens` says so. */
function once(lose: () => void, happens: (batch: StepBatch) => boolean) {
  let lost = false;
  return (batch: StepBatch) => {
    if (lost || !happens(batch)) return;
    lost = true;
    lose();
  };
}

const wantsLogits = ({ rows }: StepBatch) => rows.some(({ want }) => want !== "none");

describeFirstAdapter("a lost device", (adapter) => {
  let opening: ReturnType<typeof open> | undefined;
  /** One for all: on SwiftShader a loading takes seconds. */
  const shared = () => {
    opening ??= open(adapter);
    return opening;
  };
  let quiet: unknown;
  afterAll(async () => {
    const opened = await opening;
    await opened?.engine.dispose();
    for (const { buffers } of opened?.devices ?? []) expect(buffers.heldBytes).toBe(0);
  });

  test.each([
    ["in prefill", "before", (batch: StepBatch) => batch.stage === "prefill" && !wantsLogits(batch)],
    [
      "between prefill and the first token",
      "after",
      (batch: StepBatch) => batch.stage === "prefill" && wantsLogits(batch),
    ],
    [
      "in mid-decode of two choices",
      "before",
      (batch: StepBatch) => batch.stage === "decode" && batch.rows.length === 2,
    ],
  ] as const)("%s changes no bit of a streamed answer", async (name, moment, happens) => {
    const opened = await shared();
    quiet ??= await streamed(opened);
    const stranger = { safety_identifier: name }; // who finds no page of an earlier case
    const before = opened.devices.length;
    opened.watch[moment] = once(opened.lose, happens);
    expect(await streamed(opened, stranger)).toEqual(quiet);
    expect(opened.devices.length).toBe(before + 1);
  });

  test("takes nothing from a plain answer that had found its prompt held already", async () => {
    const opened = await shared();
    await plain(opened);
    const expected = await plain(opened);
    expect(expected.usage!.prompt_tokens_details!.cached_tokens).toBe(64);
    opened.watch.before = once(opened.lose, ({ stage }) => stage === "decode");
    expect(await plain(opened)).toEqual(expected);
  });

  test("is survived by those who wait for their turn, and by one who is parked behind a slow reader", async () => {
    const opened = await shared();
    const { engine, devices, lose } = opened;
    const wide = { n: 16, max_tokens: 2 };
    const long = { n: 1, max_tokens: 100 };
    const expected = { parked: await streamed(opened, long), choices: (await plain(opened, wide)).choices };
    const unread = await engine.chat.completions.create({ ...ASK, ...long, stream: true });
    while (await isBusy(devices.at(-1)!)); // until the reader's 64 chunks are full
    const calls = Array.from({ length: 5 }, () => plain(opened, wide)); // 80 sequences, and there are 64
    await nextTask();
    const before = devices.length;
    lose();
    for (const { choices } of await Promise.all(calls)) expect(choices).toEqual(expected.choices);
    expect(await read(unread)).toEqual(expected.parked);
    expect(devices.length).toBe(before + 1);
  });

  test("ends its calls with device_lost when the weights cannot be read again, and the next call tries anew", async () => {
    let broken = false;
    const openModel: OpenModel = async (onProgress, signal) => {
      if (broken) throw new Error("the file is gone");
      return OPEN(onProgress, signal);
    };
    const { engine, watch, lose, devices } = await open(adapter, openModel);
    watch.before = once(
      () => {
        broken = true;
        lose();
      },
      ({ stage }) => stage === "decode",
    );
    const call = engine.chat.completions.create(ASK);
    const stream = await engine.chat.completions.create({ ...ASK, stream: true });
    const message = expect.stringContaining("the file is gone");
    await expect(call).rejects.toMatchObject({ code: "device_lost", message });
    await expect(read(stream)).rejects.toMatchObject({ code: "device_lost", message });
    broken = false;
    expect((await engine.chat.completions.create(ASK)).choices.length).toBe(2);
    expect(devices.length).toBe(2);
    await engine.dispose();
  });
});

/** Whether steps are still submitted, over some turns of the event loop. */
async function isBusy({ counters }: Device): Promise<boolean> {
  const before = counters.submits;
  for (let turn = 0; turn < 50; turn++) await nextTask();
  return counters.submits > before;
}
