// The engine over the GPU: what the ledger holds after each request, answers up to the last position, keys and values in
// q8_0, and activations in bytes.
import { expect, test } from "vitest";
import { openEngine } from "../../src/engine/engine.ts";
import { gpuHost } from "../../src/engine/gpu-host.ts";
import { modelAtHand } from "../../src/engine/model-opener.ts";
import type { SessionOptions } from "../../src/engine/session.ts";
import type { Device } from "../../src/gpu/device.ts";
import { memorySource } from "../../src/storage/byte-source.ts";
import { tinyModel } from "../fixtures/tiny-models.ts";
import { describeFirstAdapter, type TestAdapter } from "./adapters.ts";

const MODEL = tinyModel({ tokenizer: true, format: "Q8_0", contextLength: 256, seed: 3 });
const BASE = { model: "tiny", messages: [{ role: "user" as const, content: "Hi" }], temperature: 0 };

async function open(
  adapter: TestAdapter,
  { gpuSampling, ...options }: Partial<SessionOptions> & { gpuSampling?: boolean } = {},
) {
  const devices: Device[] = [];
  const openHost = gpuHost(await adapter.gpu(), { onDevice: (device) => devices.push(device), gpuSampling });
  const openModel = modelAtHand({ files: [memorySource(MODEL)] });
  const engine = await openEngine({ id: "tiny", openModel, openHost, ...options });
  return { engine, devices };
}

describeFirstAdapter("engine", (adapter) => {
  test("an answer is the same to the last bit of its logprobs wherever it is sampled, and on the GPU no logits are read", async () => {
    const [onCpu, onGpu] = [await open(adapter, { gpuSampling: false }), await open(adapter, { gpuSampling: true })];
    const answer = async ({ engine }: Awaited<ReturnType<typeof open>>, settings: object) => {
      const { choices } = await engine.chat.completions.create({ ...BASE, seed: 11, max_tokens: 12, ...settings });
      return choices;
    };
    for (const settings of [
      { ignore_eos: true },
      { temperature: 1, top_p: 0.9, logprobs: true, top_logprobs: 5, n: 2 },
      { temperature: 1.4, top_k: 40, min_p: 0.01, frequency_penalty: 1, logit_bias: { 70: 3 }, logprobs: true },
      { temperature: 1, repetition_penalty: 1.3, prediction: { type: "content", content: "abcabcabc" } },
      { temperature: 1, typical_p: 0.9 },
    ]) {
      expect(await answer(onGpu, settings), JSON.stringify(settings)).toEqual(await answer(onCpu, settings));
    }
    const { counters } = onGpu.devices[0]!;
    const before = counters.readBytes;
    await answer(onGpu, { max_tokens: 9, ignore_eos: true });
    const VOCAB_SIZE = 320;
    expect(counters.readBytes - before).toBe(VOCAB_SIZE * 4 + 8 * 256); // the prompt's logits, then a token at a time
    await Promise.all([onCpu, onGpu].map(({ engine }) => engine.dispose()));
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

  test("an answer runs to the last position of the context; a prompt that leaves no position is refused", async () => {
    const openHost = gpuHost(await adapter.gpu());
    const openModel = modelAtHand({ files: [memorySource(MODEL)] });
    const engine = await openEngine({ id: "tiny", openModel, openHost, contextLength: 100 });
    const forced = { [3 + "!".charCodeAt(0)]: 100 }; // one token that never ends: the byte tokens follow three control tokens
    const ask = (length: number) =>
      engine.chat.completions.create({
        ...BASE,
        messages: [{ role: "user", content: "Q".repeat(length) }],
        logit_bias: forced,
      });
    const { usage, choices } = await ask(1);
    const overhead = usage!.prompt_tokens - 1;
    expect(usage!.total_tokens).toBe(100);
    expect(choices[0]).toMatchObject({
      finish_reason: "length",
      message: { content: "!".repeat(usage!.completion_tokens) },
    });
    expect((await ask(99 - overhead)).usage).toMatchObject({ prompt_tokens: 99, completion_tokens: 1 });
    for (const promptTokens of [100, 101])
      await expect(ask(promptTokens - overhead)).rejects.toMatchObject({
        code: "context_length_exceeded",
        details: { contextLength: 100, promptTokens },
      });
    await engine.dispose();
  });

  test("keys and values in q8_0 take less memory, answer the same alone and beside others, and name themselves", async () => {
    const { engine: halves } = await open(adapter);
    const { engine, devices } = await open(adapter, { kvCache: "q8_0" });
    const ask = (content: string, more: object = {}) =>
      engine.chat.completions.create({
        ...BASE,
        messages: [{ role: "user" as const, content }],
        max_tokens: 12,
        logprobs: true,
        ...more,
      });
    const long = "Tell me of the sea. ".repeat(6); // more than a page, so that the second asking finds it held
    const alone = await ask(long);
    const [again, forked, other] = await Promise.all([ask(long), ask(long, { n: 3 }), ask("Hi")]);
    expect(again.usage?.prompt_tokens_details?.cached_tokens).toBeGreaterThan(0);
    for (const { logprobs } of [...again.choices, ...forked.choices])
      expect(logprobs).toEqual(alone.choices[0]?.logprobs);
    expect(other.system_fingerprint).toBe(engine.info.fingerprint);
    expect(engine.info).toMatchObject({ kvCache: "q8_0" });
    expect(halves.info).toMatchObject({ kvCache: "f16", contextLength: engine.info.contextLength });
    expect(engine.info.fingerprint).not.toBe(halves.info.fingerprint);
    expect(engine.info.memoryBytes).toBeLessThan(halves.info.memoryBytes);
    await Promise.all([engine.dispose(), halves.dispose()]);
    expect(devices[0]!.buffers.heldBytes).toBe(0);
  });

  test("with less precision a model answers the same alone and beside others, with other bits, and says so", async () => {
    const [{ engine: exact }, { engine }] = [await open(adapter), await open(adapter, { precision: "fast" })];
    const ask = (of: typeof engine, content: string) =>
      of.chat.completions.create({
        ...BASE,
        messages: [{ role: "user" as const, content }],
        max_tokens: 6,
        ignore_eos: true,
        logprobs: true,
        top_logprobs: 3,
      });
    const first = ({ choices }: Awaited<ReturnType<typeof ask>>) => choices[0]!.logprobs!.content![0]!.logprob;
    const alone = await ask(engine, "Hi");
    const [again] = await Promise.all(["Hi", "Hello", "What is it?"].map((content) => ask(engine, content)));
    expect(again!.choices[0]!.logprobs).toEqual(alone.choices[0]!.logprobs);
    const unrounded = await ask(exact, "Hi");
    expect(first(alone)).not.toBe(first(unrounded));
    expect(first(alone)).toBeCloseTo(first(unrounded), 1);
    expect([exact.info.precision, engine.info.precision]).toEqual(["exact", "fast"]);
    expect(engine.info.fingerprint).not.toBe(exact.info.fingerprint);
    expect(alone.system_fingerprint).toBe(engine.info.fingerprint);
    await Promise.all([engine.dispose(), exact.dispose()]);
  });
});
