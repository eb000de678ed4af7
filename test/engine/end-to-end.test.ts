// The whole path on a tiny random model: GGUF bytes -> reference runtime -> sampler -> text -> chunks.
import { expect, test } from "vitest";
import type { ChatCompletionChunk } from "../../src/api/types.ts";
import { type Engine, openEngine } from "../../src/engine/engine.ts";
import { modelAtHand } from "../../src/engine/model-opener.ts";
import type { RuntimeHost } from "../../src/engine/runtime-host.ts";
import { createReferenceRuntime } from "../../src/runtime/reference-runtime.ts";
import { memorySource } from "../../src/storage/byte-source.ts";
import { tinyModel } from "../fixtures/tiny-models.ts";

const MODEL = tinyModel({ tokenizer: true, format: "Q8_0", contextLength: 256, seed: 3 });
const BASE = { model: "tiny", messages: [{ role: "user" as const, content: "Tell me of the sea." }], max_tokens: 12 };

function openReference(prefillRows = 256): Promise<Engine> {
  const host: RuntimeHost = {
    adapter: "reference",
    features: [],
    plan: (spec) => ({
      bytes: 0,
      create: ({ gguf, signal }) => createReferenceRuntime({ model: gguf, spec, signal, prefillRows }),
    }),
    dispose: () => {},
  };
  return openEngine({
    id: "tiny",
    openModel: modelAtHand({ files: [memorySource(MODEL)] }),
    openHost: async () => host,
  });
}

async function streamText(engine: Engine, params: object): Promise<string> {
  const chunks: ChatCompletionChunk[] = [];
  for await (const chunk of await engine.chat.completions.create({ ...BASE, ...params, stream: true }))
    chunks.push(chunk);
  return chunks.map(({ choices }) => choices[0]?.delta.content ?? "").join("");
}

test("the same request gives the same text: streamed, plain, beside another one, from another engine and other segments", async () => {
  const [engine, other] = await Promise.all([openReference(), openReference(5)]);
  for (const params of [{ temperature: 0 }, { temperature: 1, seed: 42 }]) {
    const plain = async (on: Engine) =>
      (await on.chat.completions.create({ ...BASE, ...params })).choices[0]!.message.content;
    const text = await plain(engine);
    expect(text).not.toBe("");
    expect(await streamText(engine, params)).toBe(text);
    expect(await Promise.all([plain(engine), streamText(engine, params)])).toEqual([text, text]);
    expect(await plain(other)).toBe(text);
  }
  expect(engine.info.fingerprint).toBe(other.info.fingerprint);
});

test("seeds decide, and logprobs are the model's own at every temperature", async () => {
  const engine = await openReference();
  const ask = (params: object) =>
    engine.chat.completions.create({ ...BASE, logprobs: true, top_logprobs: 20, max_tokens: 1, ...params });
  expect(await streamText(engine, { seed: 1 })).not.toBe(await streamText(engine, { seed: 2 }));
  const tops = [];
  for (const temperature of [0, 0.7, 2])
    tops.push((await ask({ temperature, seed: 1 })).choices[0]!.logprobs!.content![0]!.top_logprobs);
  expect(tops[1]).toEqual(tops[0]);
  expect(tops[2]).toEqual(tops[0]);
  expect(tops[0]!.map(({ logprob }) => logprob)).toEqual(tops[0]!.map(({ logprob }) => logprob).sort((a, b) => b - a));
});

test("a bias of 100 forces a token and one of -100 bans it", async () => {
  const engine = await openReference();
  const ask = async (logit_bias: Record<string, number>) =>
    (await engine.chat.completions.create({ ...BASE, temperature: 0, max_tokens: 3, logit_bias })).choices[0]!.message
      .content;
  const id = 3 + "!".charCodeAt(0); // the byte tokens follow three control tokens
  expect(await ask({ [id]: 100 })).toBe("!!!");
  expect(await ask({ [id]: -100 })).not.toContain("!");
});
