import { expect, test } from "vitest";
import type { ChatCompletionChunk, ChatCompletionCreateParams } from "../../src/api/types.ts";
import { foldChunks } from "../../src/engine/fold.ts";
import { openScripted, type Script, scattered, TOKENIZER } from "./scripted-runtime.ts";

const BASE = { model: "tiny", messages: [{ role: "user" as const, content: "Hi" }], temperature: 0 };
const encode = (text: string) => [...TOKENIZER.encode(text)];
/** One token a byte, so that characters and stop strings lie across tokens. */
const byBytes = (text: string) => [...new TextEncoder().encode(text)].map(tokenOfByte);

function tokenOfByte(byte: number): number {
  for (let id = 0; id < TOKENIZER.vocabSize; id++) {
    const piece = TOKENIZER.piece(id);
    if (piece.length === 1 && piece[0] === byte) return id;
  }
  throw new Error(`no token for byte ${byte}`);
}

async function stream(
  script: Script,
  params: Partial<ChatCompletionCreateParams> = {},
): Promise<ChatCompletionChunk[]> {
  const { engine } = await openScripted(script);
  const chunks: ChatCompletionChunk[] = [];
  for await (const chunk of await engine.chat.completions.create({ ...BASE, ...params, stream: true }))
    chunks.push(chunk);
  return chunks;
}

async function plain(script: Script, params: Partial<ChatCompletionCreateParams> = {}) {
  const { engine } = await openScripted(script);
  return engine.chat.completions.create({ ...BASE, ...params, stream: false });
}

const textOf = (chunks: readonly ChatCompletionChunk[]) =>
  chunks.map(({ choices }) => choices[0]?.delta.content ?? "").join("");

test("a stream is a role chunk, content chunks and a finish chunk, without a usage key", async () => {
  const chunks = await stream({ reply: "the sea" });
  expect(chunks[0]?.choices).toEqual([
    { index: 0, delta: { role: "assistant", content: "", refusal: null }, logprobs: null, finish_reason: null },
  ]);
  expect(chunks.at(-1)?.choices).toEqual([{ index: 0, delta: {}, logprobs: null, finish_reason: "stop" }]);
  expect(textOf(chunks)).toBe("the sea");
  expect(chunks.filter((chunk) => "usage" in chunk || "service_tier" in chunk)).toEqual([]);
  for (const { choices } of chunks.slice(1, -1)) expect(Object.keys(choices[0]!.delta)).toEqual(["content"]);
  const { id, created, model, system_fingerprint } = chunks[0]!;
  for (const chunk of chunks) expect(chunk).toMatchObject({ id, created, model, system_fingerprint });
  expect(id).toMatch(/^chatcmpl-/);
  expect(system_fingerprint).toMatch(/^fp_[0-9a-f]{12}$/);
  expect(Math.abs(created - Date.now() / 1000)).toBeLessThan(60);
});

test("with include_usage every chunk has usage: null, but for one at the end with no choices", async () => {
  const chunks = await stream({ reply: "the sea" }, { stream_options: { include_usage: true } });
  const count = encode("the sea").length;
  const last = chunks.pop();
  expect(chunks.every(({ usage }) => usage === null)).toBe(true);
  expect(last?.choices).toEqual([]);
  expect(last?.usage?.completion_tokens).toBe(count);
  expect(last?.usage?.total_tokens).toBe(last!.usage!.prompt_tokens + count);
  expect(last?.usage?.prompt_tokens_details).toEqual({ cached_tokens: 0, audio_tokens: 0 });
});

test("an empty stream_options asks for no usage", async () => {
  const chunks = await stream({}, { stream_options: {} });
  expect(chunks.some((chunk) => "usage" in chunk)).toBe(false);
});

test("the plain answer is the fold of the chunks", async () => {
  const answer = await plain({ reply: "the sea" }, { logprobs: true, top_logprobs: 2 });
  const params = { stream_options: { include_usage: true }, logprobs: true, top_logprobs: 2 };
  const chunks = await stream({ reply: "the sea" }, params);
  const { id, created, ...rest } = foldChunks(chunks);
  expect(answer).toMatchObject(rest);
  expect(answer.choices[0]?.message).toEqual({ role: "assistant", content: "the sea", refusal: null, annotations: [] });
  expect(answer.object).toBe("chat.completion");
  expect([id, created]).not.toContain(undefined);
});

test("a request that names a tier is told which it got", async () => {
  expect(await plain({}, { service_tier: "auto" })).toMatchObject({ service_tier: "default" });
});

test("an answer that ends at once is empty, not null", async () => {
  const answer = await plain({ reply: [] });
  expect(answer.choices[0]).toMatchObject({ message: { content: "" }, finish_reason: "stop", logprobs: null });
  expect(answer.usage.completion_tokens).toBe(0);
});

test("max_completion_tokens ends an answer with length, and its last token is not fed to the model", async () => {
  const { engine, runtime } = await openScripted({ reply: byBytes("abcdef") });
  const answer = await engine.chat.completions.create({ ...BASE, max_completion_tokens: 3 });
  expect(answer.choices[0]).toMatchObject({ message: { content: "abc" }, finish_reason: "length" });
  expect(answer.usage.completion_tokens).toBe(3);
  expect(runtime.steps.length).toBe(3);
});

test("an answer may fill the context to the last token, then ends with length", async () => {
  const { engine } = await openScripted({ reply: byBytes("x".repeat(400)), contextLength: 64 });
  const { usage, choices } = await engine.chat.completions.create(BASE);
  expect(usage.total_tokens).toBe(64);
  expect(choices[0]?.finish_reason).toBe("length");
});

test("a prompt that leaves no room is refused with both numbers, before any step", async () => {
  const { engine, runtime } = await openScripted({ contextLength: 64 });
  const overhead = (await engine.chat.completions.create({ ...BASE, messages: [{ role: "user", content: "" }] })).usage
    .prompt_tokens;
  const ask = (length: number) =>
    engine.chat.completions.create({ ...BASE, messages: [{ role: "user", content: "Q".repeat(length) }] });
  expect((await ask(63 - overhead)).usage).toMatchObject({ prompt_tokens: 63, completion_tokens: 1 });
  const stepsBefore = runtime.steps.length;
  for (const promptTokens of [64, 65]) {
    await expect(ask(promptTokens - overhead)).rejects.toMatchObject({
      code: "context_length_exceeded",
      param: "messages",
      details: { contextLength: 64, promptTokens },
    });
  }
  expect(runtime.steps.length).toBe(stepsBefore);
});

test("a long prompt is prefilled in segments, of which the last alone wants logits", async () => {
  const { engine, runtime } = await openScripted({ reply: [], prefillRows: 8 });
  const { usage } = await engine.chat.completions.create(BASE);
  const lengths = runtime.steps.map(({ rows }) => ("ids" in rows[0]!.input ? rows[0]!.input.ids.length : 0));
  expect(lengths.slice(0, -1).every((length) => length === 8)).toBe(true);
  expect(lengths.reduce((a, b) => a + b)).toBe(usage.prompt_tokens);
  expect(runtime.steps.map(({ rows }) => rows[0]!.want === "none")).toEqual(
    lengths.map((_, i) => i < lengths.length - 1),
  );
});

for (const [name, reply] of [
  ["one token a word", encode("the sea, the end.")],
  ["one token a byte", byBytes("the sea, the end.")],
] as const) {
  test(`a stop string ends the answer before it, with ${name}`, async () => {
    for (const [stop, content] of [
      [", t", "the sea"],
      ["the", ""],
      [["zzz", "end"], "the sea, the "],
      ["end.x", "the sea, the end."],
    ] as const) {
      const answer = await plain({ reply }, { stop: stop as string | string[] });
      expect(answer.choices[0]).toMatchObject({ message: { content }, finish_reason: "stop" });
    }
  });

  test(`no chunk shows the beginning of a stop string, with ${name}`, async () => {
    const chunks = await stream({ reply }, { stop: ", the end" });
    const shown = chunks.map(({ choices }) => choices[0]?.delta.content ?? "");
    expect(shown.join("")).toBe("the sea");
    expect(shown.some((text) => text.includes(","))).toBe(false);
  });
}

test("characters that span tokens come whole, and a cut one as one replacement character", async () => {
  const chunks = await stream({ reply: byBytes("é🔥") });
  expect(chunks.map(({ choices }) => choices[0]?.delta.content).filter(Boolean)).toEqual(["é", "🔥"]);
  const cut = await plain({ reply: byBytes("é🔥") }, { max_tokens: 4 });
  expect(cut.choices[0]?.message.content).toBe("é\ufffd");
});

const LOGPROB_CASES: [string, readonly number[], Partial<ChatCompletionCreateParams>][] = [
  ["words", encode("the sea, the end."), {}],
  ["bytes of characters", byBytes("aé🔥b"), {}],
  ["a stop string inside a token", encode("the sea"), { stop: "ea" }],
  ["a stop string across bytes", byBytes("aé🔥bcd"), { stop: "bc" }],
  ["a stop string that is a character", byBytes("aé🔥b"), { stop: "🔥" }],
  ["a held back stop that does not come", encode("the sea"), { stop: "sea!" }],
  ["a control token in the middle", [...encode("the"), 1, ...encode(" sea")], {}],
  ["a control token before a stop", [...encode("the"), 1, ...encode(" sea")], { stop: "ea" }],
];
for (const [name, reply, params] of LOGPROB_CASES) {
  test(`logprobs join to the content, chunk by chunk: ${name}`, async () => {
    const chunks = await stream({ reply }, { ...params, logprobs: true, top_logprobs: 3 });
    for (const { choices } of chunks) {
      const { delta, logprobs, finish_reason } = choices[0]!;
      if (finish_reason) expect(logprobs).toBeNull();
      else {
        const bytes = logprobs!.content!.flatMap((entry) => entry.bytes ?? []);
        expect(bytes).toEqual([...new TextEncoder().encode(delta.content ?? "")]);
        expect(logprobs!.refusal).toBeNull();
      }
    }
  });
}

test("logprobs end before a stop string inside a token, also after bytes that are no text", async () => {
  const reply = [tokenOfByte(0xff), tokenOfByte(0xbf), ...encode("Hello")];
  const answer = await plain({ reply }, { logprobs: true, stop: "l" });
  const [choice] = answer.choices;
  expect(choice?.message.content).toMatch(/^\ufffd+He$/);
  expect(choice?.logprobs?.content?.flatMap(({ bytes }) => bytes)).toEqual([0xff, 0xbf, 0x48, 0x65]);
});

test("logprob entries have their alternatives, with fragments of characters in hexadecimal", async () => {
  const answer = await plain({ reply: byBytes("é") }, { logprobs: true, top_logprobs: 2 });
  const entries = answer.choices[0]!.logprobs!.content!;
  expect(entries.map(({ token, bytes }) => [token, bytes])).toEqual([
    ["\\xc3", [0xc3]],
    ["\\xa9", [0xa9]],
  ]);
  expect(entries[0]?.top_logprobs[0]).toMatchObject({ token: "\\xc3", bytes: [0xc3], logprob: entries[0]?.logprob });
  expect(entries[0]?.top_logprobs[1]).toMatchObject({ token: "<|endoftext|>", bytes: null });
  expect(entries.every(({ top_logprobs }) => top_logprobs.length === 2)).toBe(true);
});

test("logprobs without top_logprobs have no alternatives", async () => {
  const answer = await plain({ reply: "the" }, { logprobs: true });
  expect(answer.choices[0]!.logprobs!.content!.map(({ top_logprobs }) => top_logprobs)).toEqual(
    encode("the").map(() => []),
  );
});

test("impossible is -9999, since JSON has no infinity", async () => {
  const logits = (ids: readonly number[]) => scattered(ids).map((value, id) => (id === 70 ? value : -Infinity));
  const answer = await plain({ logits }, { logprobs: true, top_logprobs: 2, max_tokens: 1 });
  const [entry] = answer.choices[0]!.logprobs!.content!;
  expect(entry?.logprob).toBe(0);
  expect(entry?.top_logprobs.map(({ logprob }) => logprob)).toEqual([0, -9999]);
});

test("the same seed gives the same tokens streamed, repeated, and after a break; another seed gives others", async () => {
  const { engine } = await openScripted({ logits: scattered });
  const params = { ...BASE, temperature: 1, seed: 7, max_tokens: 40 };
  const ask = async (seed: number) =>
    (await engine.chat.completions.create({ ...params, seed })).choices[0]!.message.content;
  const first = await ask(7);
  const streamed: ChatCompletionChunk[] = [];
  for await (const chunk of await engine.chat.completions.create({ ...params, stream: true })) streamed.push(chunk);
  let seen = "";
  for await (const chunk of await engine.chat.completions.create({ ...params, stream: true })) {
    seen += chunk.choices[0]?.delta.content ?? "";
    if (seen.length > 5) break;
  }
  expect(textOf(streamed)).toBe(first);
  expect(first?.startsWith(seen)).toBe(true);
  expect(await ask(7)).toBe(first);
  expect(await ask(8)).not.toBe(first);
});

test("without a seed two answers differ", async () => {
  const { engine } = await openScripted({ logits: scattered });
  const ask = async () =>
    (await engine.chat.completions.create({ ...BASE, temperature: 1, max_tokens: 40 })).choices[0]!.message.content;
  expect(await ask()).not.toBe(await ask());
});
