// Drafts never change an answer: with a prediction or without, looked up or not, it has the same tokens and logprobs. They only
// save steps, take what room others leave, and are counted truly.
import { describe, expect, test } from "vitest";
import type { ChatCompletion, ChatCompletionChunk, ChatCompletionCreateParams } from "../../src/api/types.ts";
import { EngineError } from "../../src/base/errors.ts";
import type { Engine } from "../../src/engine/engine.ts";
import { foldChunks } from "../../src/engine/fold.ts";
import type { StepBatch } from "../../src/runtime/runtime.ts";
import { createRandom, type Random } from "../fixtures/random.ts";
import { certain, digits, END, openScripted, type Script, TOKENIZER } from "./scripted-runtime.ts";

type Params = Partial<ChatCompletionCreateParams>;
const BASE = { model: "tiny", messages: [{ role: "user" as const, content: "Hi" }], temperature: 0 };
const NONE = { accepted_prediction_tokens: 0, rejected_prediction_tokens: 0 };
const predicting = (content: string) => ({ prediction: { type: "content" as const, content } });
/** One token each. */
const LETTERS = "BCDFGHJKLMNPQRSTVWXZ";
const id = (letter: string) => TOKENIZER.encode(letter)[0]!;
const reply = (text: string) => [...text].map(id);

const plain = (engine: Engine, params: Params = {}): Promise<ChatCompletion> =>
  engine.chat.completions.create({ ...BASE, ...params, stream: false });

async function streamed(engine: Engine, params: Params): Promise<ChatCompletion> {
  const chunks: ChatCompletionChunk[] = [];
  const options = { stream: true, stream_options: { include_usage: true } } as const;
  for await (const chunk of await engine.chat.completions.create({ ...BASE, ...params, ...options }))
    chunks.push(chunk);
  return foldChunks(chunks);
}

const rowLengths = ({ rows }: StepBatch) => rows.map(({ input }) => ("ids" in input ? input.ids.length : 0));
/** How many tokens each row of each decode step had. */
const decodeSteps = (steps: readonly StepBatch[]) => steps.filter(({ stage }) => stage === "decode").map(rowLengths);

/** Whatever changes which token is next, or ends an answer. */
function randomParams(random: Random): Params {
  const maybe = (params: Params): Params => (random.below(3) === 0 ? params : {});
  return {
    temperature: random.pick([0, 0, 0.5, 1, 1.5]),
    seed: random.below(1000),
    max_tokens: 1 + random.below(100),
    return_token_ids: true,
    ...maybe({ logprobs: true, top_logprobs: random.below(4) }),
    ...maybe({ n: 1 + random.below(5) }),
    ...maybe({ stop: [String(random.below(100)), String(100 + random.below(900))] }),
    ...maybe({ frequency_penalty: 2 * random.unit(), presence_penalty: random.unit() }),
    ...maybe({ repetition_penalty: 1 + random.unit() }),
    ...maybe({ dry_multiplier: random.unit(), dry_allowed_length: 1 + random.below(3) }),
    ...maybe({ xtc_probability: 0.5, xtc_threshold: 0.2 }),
    ...maybe({ top_p: 0.8, min_p: 0.05 }),
    ...maybe({ min_tokens: 1 }),
    ...maybe({ ignore_eos: true }),
    ...maybe({ stop_token_ids: [random.pick(reply("0123456789"))] }),
  };
}

/** A text with a few changes: characters replaced, left out, put in or moved; now and then another text. */
function edited(text: string, random: Random): string {
  if (random.below(10) === 0) return Array.from({ length: 50 }, () => random.below(10)).join("");
  let result = text;
  for (let changes = random.below(6); changes > 0; changes--) {
    const [from, length] = [random.below(result.length + 1), random.below(random.pick([2, 2, 20]))];
    const cut = result.slice(0, from) + result.slice(from + length);
    const put = random.pick([result.slice(from, from + length), String(random.below(1000)), "", "the x"]);
    const to = random.pick([from, random.below(cut.length + 1)]);
    result = cut.slice(0, to) + put + cut.slice(to);
  }
  return result;
}

describe("200 seeded cases, greedy and sampled, with logprobs, stops, penalties and several choices", async () => {
  const script = { logits: digits };
  const without = await openScripted(script);
  const engines = {
    "verified on the CPU": await openScripted(script),
    "by lookup too": await openScripted(script, { speculate: "lookup" }),
    "verified where the logits are": await openScripted({ ...script, stepsInFlight: 4 }),
  };
  const cases = Array.from({ length: 200 }, (_, index) => {
    const random = createRandom(index);
    return { params: randomParams(random), random };
  });

  for (const [how, { engine, runtime }] of Object.entries(engines)) {
    test(`with a prediction, ${how}: the same ids, text and logprobs, in fewer steps`, async () => {
      const before = without.runtime.steps.length;
      let [accepted, rejected] = [0, 0];
      for (const [index, { params, random }] of cases.entries()) {
        const expected = await plain(without.engine, params);
        const { content } = expected.choices[0]!.message;
        const asked = { ...params, ...predicting(edited(content!, random)) };
        const answer = await (index % 2 ? plain : streamed)(engine, asked);
        expect(answer.choices, `case ${index}: ${JSON.stringify(asked)}`).toEqual(expected.choices);
        const details = answer.usage.completion_tokens_details;
        const own = answer.usage.completion_tokens - details.rejected_prediction_tokens;
        expect([own, details.accepted_prediction_tokens <= own]).toEqual([expected.usage.completion_tokens, true]);
        accepted += details.accepted_prediction_tokens;
        rejected += details.rejected_prediction_tokens;
      }
      expect(accepted).toBeGreaterThan(1000);
      expect(rejected).toBeGreaterThan(500);
      expect(runtime.steps.length).toBeLessThan(0.7 * (without.runtime.steps.length - before));
      expect(runtime.openCount).toBe(0);
    });
  }

  test("without a prediction, looked up: the same, in fewer steps, and no token of a prediction is reported", async () => {
    const { engine, runtime } = engines["by lookup too"];
    const [before, looked] = [without.runtime.steps.length, runtime.steps.length];
    for (const { params } of cases) {
      const [expected, answer] = [await plain(without.engine, params), await plain(engine, params)];
      expect(answer.choices).toEqual(expected.choices);
      expect(answer.usage).toEqual(expected.usage);
    }
    expect(runtime.steps.length - looked).toBeLessThan(without.runtime.steps.length - before);
  });
});

test.each([
  [16, [16, 16, 8]],
  [8, [8, 8, 8, 8, 8]], // where a runtime says that more are not worth it
])(
  "a prediction that comes true is verified up to %i tokens a step, and all of it is accepted",
  async (draftRows, steps) => {
    const { engine, runtime } = await openScripted({ reply: reply(LETTERS.repeat(2)), draftRows });
    const answer = await plain(engine, predicting(LETTERS.repeat(2)));
    expect(answer.choices[0]!.message.content).toBe(LETTERS.repeat(2));
    expect(answer.usage.completion_tokens_details).toMatchObject({
      accepted_prediction_tokens: 40,
      rejected_prediction_tokens: 0,
    });
    expect(answer.usage.completion_tokens).toBe(40);
    // The first token comes of the prompt, the last step finds the end.
    expect(decodeSteps(runtime.steps)).toEqual(steps.map((length) => [length]));
  },
);

const CHANGED: [string, string, string, number, number][] = [
  ["a token replaced", "BCDFGxHJKLMN", "BCDFGyHJKLMN", 11, 1],
  ["tokens put in", "BCDFGHJKLMN", "BCDFGxyzHJKLMN", 11, 0],
  ["tokens left out", "BCDFGxyzHJKLMN", "BCDFGHJKLMN", 11, 3],
  ["a beginning that was not predicted", "BCDFGHJK", "uvwBCDFGHJK", 8, 0],
  ["an end that was not predicted", "BCDF", "BCDFGHJK", 4, 0],
  ["a prediction that goes on", "BCDFGHJKLMN", "BCDF", 4, 7],
  ["none of it, from the first token on", "BCDF", "ghjkpq", 0, 0],
  ["an empty prediction", "", "BCDF", 0, 0],
]; // biome-ignore format: a table
test.each(CHANGED)("%s: what is in the answer is accepted, the rest that was computed rejected", async (...row) => {
  const [, prediction, answered, accepted, rejected] = row;
  const { engine } = await openScripted({ reply: reply(answered) });
  const { usage, choices } = await plain(engine, predicting(prediction));
  expect(choices[0]!.message.content).toBe(answered);
  expect(usage.completion_tokens_details).toMatchObject({
    accepted_prediction_tokens: accepted,
    rejected_prediction_tokens: rejected,
  });
  expect(usage.completion_tokens).toBe(answered.length + rejected);
  expect(usage.total_tokens).toBe(usage.prompt_tokens + usage.completion_tokens);
});

test("rejected tokens count over all choices, and never towards the limit", async () => {
  const { engine } = await openScripted({ reply: reply("ghjkpqwx") });
  const { usage, choices } = await plain(engine, { ...predicting("gBCDFGHJKLMN"), n: 2, max_completion_tokens: 6 });
  expect(choices.map(({ message, finish_reason }) => [message.content, finish_reason])).toEqual(
    Array(2).fill(["ghjkpq", "length"]),
  );
  const { accepted_prediction_tokens, rejected_prediction_tokens } = usage.completion_tokens_details;
  expect(accepted_prediction_tokens).toBe(2);
  expect(rejected_prediction_tokens).toBeGreaterThan(2);
  expect(usage.completion_tokens).toBe(12 + rejected_prediction_tokens);
});

test("nothing is computed beyond the limit or the context", async () => {
  for (const [script, params] of [
    [{ reply: reply("B".repeat(100)) }, { max_completion_tokens: 20 }],
    [{ reply: reply("B".repeat(100)), contextLength: 64 }, {}],
  ] as const) {
    const { engine, runtime } = await openScripted(script);
    const { usage } = await plain(engine, { ...params, ...predicting("B".repeat(100)) });
    const fed = runtime.steps.flatMap(rowLengths).reduce((sum, length) => sum + length, 0);
    expect(fed).toBe(usage.total_tokens - 1); // the last token is not fed
  }
});

test("a token that ends an answer ends it inside a draft, and so do stop strings; what is after is dropped", async () => {
  const asked = { ...predicting("BCDFGHJKLMN"), logprobs: true, return_token_ids: true };
  const { engine } = await openScripted({ reply: reply("BCDFGHJKLMN") });
  const ended = await plain(engine, { ...asked, stop_token_ids: [id("G")] });
  expect(ended.choices[0]).toMatchObject({ message: { content: "BCDF" }, token_ids: reply("BCDFG") });
  expect(ended.usage.completion_tokens_details).toMatchObject({ ...NONE, accepted_prediction_tokens: 4 });
  const stopped = await plain(engine, { ...asked, stop: "GH" });
  expect(stopped.choices[0]).toMatchObject({ message: { content: "BCDF" }, finish_reason: "stop" });
  expect(stopped.choices[0]!.logprobs!.content!.length).toBe(4);
  expect(stopped.usage.completion_tokens_details.accepted_prediction_tokens).toBe(6);
});

test("logits that are faulty beyond an answer's end fault nothing, and those of its own tokens do", async () => {
  const letters = reply("BCDFGHJK");
  const faultyAfter = (count: number): Script => ({
    logits: (ids, promptLength) => {
      const place = ids.length - promptLength;
      return place >= count ? certain(0).fill(Number.NaN) : certain(letters[place] ?? END);
    },
  });
  const within = await openScripted(faultyAfter(5));
  expect((await plain(within.engine, { ...predicting("BCDFGHJK"), stop: "DF" })).choices[0]!.message.content).toBe(
    "BC",
  );
  let text = "";
  const read = async () => {
    const stream = await within.engine.chat.completions.create({ ...BASE, ...predicting("BCDFGHJK"), stream: true });
    for await (const { choices } of stream) text += choices[0]?.delta.content ?? "";
  };
  await expect(read()).rejects.toMatchObject({ code: "numeric_fault" });
  expect(text).toBe("BCDFG");
});

test("two answers with a prediction share a step's room, and one without has its row", async () => {
  const { engine, runtime } = await openScripted({ reply: reply(LETTERS.repeat(4)), maxSequences: 3 });
  const asked = predicting(LETTERS.repeat(4));
  await Promise.all([plain(engine, asked), plain(engine, asked), plain(engine)]);
  const shared = decodeSteps(runtime.steps).filter((rows) => rows.length === 3);
  expect(shared.length).toBeGreaterThan(3);
  for (const rows of shared.slice(0, 3)) expect(rows.sort((a, b) => a - b)).toEqual([1, 7, 8]);
});

test("when memory is short the draft goes first, and nobody else gives way", async () => {
  let refused = 0;
  const beforeStep = (_: number, { rows }: StepBatch) => {
    if (!rows.some(({ input }) => "ids" in input && input.ids.length > 1 && input.ids.length < 17)) return;
    refused++;
    throw new EngineError("out_of_memory", "no pages left");
  };
  const { engine } = await openScripted({ reply: reply(LETTERS), beforeStep });
  const long = [{ role: "user" as const, content: "a longer prompt than a step of drafts" }];
  const answer = await plain(engine, { messages: long, ...predicting(LETTERS) });
  expect(answer.choices[0]!.message.content).toBe(LETTERS);
  expect(answer.usage.completion_tokens_details.rejected_prediction_tokens).toBe(0);
  expect(refused).toBeGreaterThan(5);
});

test("after an abort no step is submitted, and none of a draft's tokens comes out", async () => {
  const controller = new AbortController();
  const { engine, runtime } = await openScripted({ reply: reply(LETTERS.repeat(4)) });
  const stream = await engine.chat.completions.create(
    { ...BASE, ...predicting(LETTERS.repeat(4)), stream: true },
    { signal: controller.signal },
  );
  let text = "";
  const read = async () => {
    for await (const { choices } of stream) {
      text += choices[0]?.delta.content ?? "";
      if (text.length === 4) controller.abort();
    }
  };
  await expect(read()).rejects.toMatchObject({ code: "aborted" });
  expect(text.length).toBeLessThan(16);
  expect(decodeSteps(runtime.steps).length).toBe(1);
  expect(runtime.openCount).toBe(0);
});

test("control tokens are text in a prediction", async () => {
  const text = "B<|im_end|>C";
  const { engine } = await openScripted({ reply: [...TOKENIZER.encode(text)] });
  const { choices, usage } = await plain(engine, predicting(text));
  expect(choices[0]!.message.content).toBe(text);
  expect(usage.completion_tokens_details).toMatchObject({
    ...NONE,
    accepted_prediction_tokens: usage.completion_tokens,
  });
});
