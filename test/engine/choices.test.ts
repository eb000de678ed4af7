// `n` answers to one prompt: prefilled once, alike whatever n is, interleaved by index, and each with an end of its own.
import { describe, expect, test } from "vitest";
import type { ChatCompletionChunk, ChatCompletionCreateParamsBase } from "../../src/api/types.ts";
import { EngineError } from "../../src/base/errors.ts";
import { foldChunks } from "../../src/engine/fold.ts";
import type { RequestStats } from "../../src/engine/stats.ts";
import { certain, openScripted, type Script, type ScriptedRuntime, scattered, TOKENIZER } from "./scripted-runtime.ts";

const BASE = { model: "tiny", messages: [{ role: "user" as const, content: "Hi" }], seed: 11, max_tokens: 12 };
const RANDOM: Script = { logits: scattered };

async function textsOf(n: number, script: Script = RANDOM): Promise<(string | null)[]> {
  const { engine } = await openScripted(script);
  const { choices } = await engine.chat.completions.create({ ...BASE, n });
  expect(choices.map(({ index }) => index)).toEqual(Array.from({ length: n }, (_, index) => index));
  return choices.map(({ message }) => message.content);
}

async function chunksOf(script: Script, params: Partial<ChatCompletionCreateParamsBase>) {
  const { engine, runtime } = await openScripted(script);
  const chunks: ChatCompletionChunk[] = [];
  for await (const chunk of await engine.chat.completions.create({ ...BASE, ...params, stream: true }))
    chunks.push(chunk);
  return { chunks, runtime };
}

const prefillRows = ({ steps }: ScriptedRuntime) => steps.filter(({ stage }) => stage === "prefill").length;

test("choices differ, and each is the same whatever n is and however many run at once", async () => {
  const twenty = await textsOf(20, { ...RANDOM, maxSequences: 16 });
  expect(new Set(twenty).size).toBe(20);
  for (const [n, maxSequences] of [[1, 16], [3, 16], [5, 1], [5, 2], [20, 3]] as const) {
    expect(await textsOf(n, { ...RANDOM, maxSequences }), `n ${n}, ${maxSequences} sequences`).toEqual(twenty.slice(0, n));
  } // biome-ignore format: a table
});

test("n goes up to 128", async () => {
  const { engine, runtime } = await openScripted({ ...RANDOM, maxSequences: 64 });
  const { choices, usage } = await engine.chat.completions.create({ ...BASE, n: 128, max_tokens: 2 });
  expect(choices.length).toBe(128);
  expect(usage.completion_tokens).toBe(256);
  expect(runtime.openCount).toBe(0);
});

test("the prompt is prefilled once and counted once; choices share decode steps", async () => {
  const { engine, runtime } = await openScripted({ ...RANDOM, maxSequences: 8 });
  const one = await engine.chat.completions.create({ ...BASE });
  const before = runtime.steps.length;
  const four = await engine.chat.completions.create({ ...BASE, n: 4 });
  expect(prefillRows(runtime)).toBe(2); // one a request
  expect(four.usage.prompt_tokens).toBe(one.usage.prompt_tokens);
  expect(four.usage.completion_tokens).toBe(4 * 12);
  expect(four.usage.total_tokens).toBe(four.usage.prompt_tokens + 48);
  expect(runtime.steps.length - before).toBe(1 + 11); // as many as for one choice
  expect(runtime.steps.at(-1)?.rows.length).toBe(4);
});

test("greedy choices are alike", async () => {
  const { engine } = await openScripted(RANDOM);
  const { choices } = await engine.chat.completions.create({ ...BASE, n: 3, temperature: 0 });
  expect(new Set(choices.map(({ message }) => message.content)).size).toBe(1);
});

describe("a stream of several choices", () => {
  test("has one choice a chunk, each opened once, interleaved, finished once, and one chunk of usage", async () => {
    const { chunks } = await chunksOf(
      { ...RANDOM, maxSequences: 8 },
      { n: 3, stream_options: { include_usage: true } },
    );
    const usage = chunks.pop();
    expect(usage).toMatchObject({ choices: [], usage: { completion_tokens: 36 } });
    expect(chunks.every(({ choices, usage }) => choices.length === 1 && usage === null)).toBe(true);
    for (const index of [0, 1, 2]) {
      const own = chunks.map(({ choices }) => choices[0]!).filter((choice) => choice.index === index);
      expect(own[0]?.delta).toEqual({ role: "assistant", content: "", refusal: null });
      expect(own.filter(({ delta }) => delta.role).length).toBe(1);
      expect(own.map(({ finish_reason }) => finish_reason).filter(Boolean)).toEqual(["length"]);
      expect(own.at(-1)?.finish_reason).toBe("length"); // and nothing after it
    }
    const order = chunks.map(({ choices }) => choices[0]!.index);
    expect(order.indexOf(2)).toBeLessThan(order.lastIndexOf(0)); // interleaved, not one after the other
  });

  test("adds up to the plain answer", async () => {
    const params = { n: 5, logprobs: true, top_logprobs: 2, return_token_ids: true };
    const { chunks } = await chunksOf(RANDOM, { ...params, stream_options: { include_usage: true } });
    const { engine } = await openScripted(RANDOM);
    const { id, created, ...plain } = await engine.chat.completions.create({ ...BASE, ...params });
    expect(foldChunks(chunks)).toMatchObject(plain);
  });

  test("is parked as a whole by a reader who is behind, and goes on where it was", async () => {
    const { engine, runtime } = await openScripted({ ...RANDOM, maxSequences: 8 });
    const stream = await engine.chat.completions.create({ ...BASE, n: 4, max_tokens: 60, stream: true });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(runtime.steps.length).toBeLessThan(30);
    const chunks: ChatCompletionChunk[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    const { engine: fast } = await openScripted({ ...RANDOM, maxSequences: 8 });
    const plain = await fast.chat.completions.create({ ...BASE, n: 4, max_tokens: 60 });
    const texts = [0, 1, 2, 3].map((index) =>
      chunks.map(({ choices }) => (choices[0]?.index === index ? (choices[0].delta.content ?? "") : "")).join(""),
    );
    expect(texts).toEqual(plain.choices.map(({ message }) => message.content));
  });

  test("that is left ends all of its choices, and frees every sequence", async () => {
    const { engine, runtime } = await openScripted({ logits: () => certain(TOKENIZER.encode("a")[0]!) });
    for await (const _ of await engine.chat.completions.create({ ...BASE, n: 4, max_tokens: 100, stream: true })) break;
    expect(runtime.openCount).toBe(0);
  });
});

test("each choice ends by its own stop string or end token", async () => {
  /** A random word, then the end. */
  const logits = (ids: readonly number[], promptLength: number) =>
    ids.length - promptLength < 4 ? scattered(ids) : certain(TOKENIZER.eosId!);
  const { engine } = await openScripted({ logits });
  const { choices, usage } = await engine.chat.completions.create({ ...BASE, n: 6, max_tokens: 40 });
  expect(choices.map(({ finish_reason }) => finish_reason)).toEqual(Array(6).fill("stop"));
  expect(usage.completion_tokens).toBe(24);
});

test("a choice that fails fails the request once, with its own error, and the rest are ended", async () => {
  const stats: RequestStats[] = [];
  const beforeStep = (step: number) => {
    if (step === 4) throw new EngineError("numeric_fault", "NaN in layer 3");
  };
  const onStats = (figures: RequestStats) => stats.push(figures);
  const { engine, runtime } = await openScripted({ ...RANDOM, beforeStep, maxSequences: 2 }, { onStats });
  const call = engine.chat.completions.create({ ...BASE, n: 6 });
  await expect(call).rejects.toMatchObject({ code: "numeric_fault" });
  expect(runtime.openCount).toBe(0);
  expect(stats.map(({ finish }) => finish)).toEqual(["numeric_fault"]);
});

test("return_token_ids gives the prompt once and each choice its own, the token that ended it included", async () => {
  const { engine } = await openScripted({ reply: "the sea" });
  const answer = await engine.chat.completions.create({
    ...BASE,
    max_tokens: 50,
    temperature: 0,
    n: 2,
    return_token_ids: true,
  });
  const ids = [...TOKENIZER.encode("the sea"), TOKENIZER.eosId];
  expect(answer.choices.map(({ token_ids }) => token_ids)).toEqual([ids, ids]);
  expect(answer.prompt_token_ids?.length).toBe(answer.usage.prompt_tokens);
  const { chunks } = await chunksOf({ reply: "the sea" }, { max_tokens: 50, temperature: 0, return_token_ids: true });
  expect(chunks.flatMap(({ choices }) => choices[0]?.token_ids ?? [])).toEqual(ids);
  expect(chunks.map(({ prompt_token_ids }) => prompt_token_ids !== undefined)).toEqual([
    true,
    ...Array(chunks.length - 1).fill(false),
  ]);
});

test("prompt_logprobs has an entry for each position but the first, by rank, with the token that stands there", async () => {
  const { engine, runtime } = await openScripted({ ...RANDOM, prefillRows: 7 });
  const answer = await engine.chat.completions.create({ ...BASE, prompt_logprobs: 2, return_token_ids: true });
  const ids = answer.prompt_token_ids!;
  const positions = answer.prompt_logprobs!;
  expect(prefillRows(runtime)).toBe(Math.ceil(ids.length / 7));
  expect(positions.length).toBe(ids.length);
  expect(positions[0]).toBe(null);
  positions.slice(1).forEach((entries, index) => {
    const own = entries![ids[index + 1]!]!;
    expect(own.decoded_token).toBe(TOKENIZER.label(ids[index + 1]!));
    expect(own.rank).toBeGreaterThanOrEqual(1);
    expect(
      Object.values(entries!)
        .map(({ rank }) => rank)
        .sort((a, b) => a - b)
        .slice(0, 2),
    ).toEqual([1, 2]);
    for (const { logprob } of Object.values(entries!)) expect(logprob).toBeLessThanOrEqual(0);
  });
  const plain = await engine.chat.completions.create(BASE);
  expect(plain).not.toHaveProperty("prompt_logprobs");
  expect(plain.choices[0]?.message.content).toBe(answer.choices[0]?.message.content);
});
