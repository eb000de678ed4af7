// Traps 13 to 22: what a request says, and what becomes of it.
import { expect } from "vitest";
import { parseRequest } from "../../src/api/request.ts";
import { chatMessages } from "../../src/chat/from-request.ts";
import { createTemplate } from "../../src/chat/template.ts";
import { LIMITS } from "../api/parse.ts";
import { demandedVariables, SPECIALS, TEMPLATES } from "../chat/templates.ts";
import { openScripted, scattered, TOKENIZER } from "../engine/scripted-runtime.ts";
import { ask, openWithMetadata, type Params, plain, read, refusal, type Traps } from "./trap.ts";

const RANDOM = { logits: scattered };
const SAMPLED = { temperature: 1, seed: 4, max_tokens: 12 };
const [X, Y] = [TOKENIZER.encode("x")[0]!, TOKENIZER.encode("y")[0]!];

/** X is a little likelier than Y, whatever came before, and nothing else is likely. */
const xOverY = () => {
  const logits = new Float32Array(TOKENIZER.vocabSize);
  logits[X] = 10;
  logits[Y] = 9.5;
  return logits;
};

/** What each template at hand makes of messages as a caller sends them. */
function* renderings(messages: readonly unknown[]): Generator<readonly [template: string, prompt: string]> {
  const request = parseRequest({ model: "m", messages }, LIMITS);
  for (const [name, source] of Object.entries(TEMPLATES)) {
    const template = createTemplate({ source, ...SPECIALS, controlPieces: ["<|im_end|>"] });
    const options = { addGenerationPrompt: true, variables: demandedVariables(name) };
    const segments = template.render(chatMessages(request.messages), options);
    yield [name, segments.map(({ text }) => text).join("")];
  }
}

const calling = (text: string, content: string | null = null) => [
  { role: "user", content: "Ask" },
  {
    role: "assistant",
    content,
    tool_calls: [{ id: "call_1", type: "function", function: { name: "get_weather", arguments: text } }],
  },
  {
    role: "tool",
    tool_call_id: "call_1",
    content: [
      { type: "text", text: "21 " },
      { type: "text", text: "degrees" },
    ],
  },
];

export const REQUEST_TRAPS: Traps = {
  13: {
    name: "the developer role refused by a template, or one of several system messages lost",
    tests: {
      "every template at hand prints them all": () => {
        const messages = [
          { role: "developer", content: "alpha" },
          { role: "system", content: "beta" },
          { role: "user", content: "gamma" },
        ];
        for (const [name, prompt] of renderings(messages))
          for (const word of ["alpha", "beta", "gamma"]) expect(prompt, name).toContain(word);
      },
    },
  },
  14: {
    name: "content that is null, missing or in parts crashes or is skipped",
    tests: {
      "every template at hand takes it, and prints the call and its result": () => {
        for (const content of [null, ""])
          for (const [name, prompt] of renderings(calling("{}", content)))
            for (const text of ["get_weather", "21 degrees"]) expect(prompt, name).toContain(text);
      },
      "a missing content is null beside calls, and an answer in parts is read": () => {
        const [user, { content: _, ...asked }, ...rest] = calling("{}") as [object, { content: null }, ...object[]];
        const missing = [...renderings([user, asked, ...rest])];
        expect(missing).toEqual([...renderings(calling("{}"))]);
        const parts = [{ type: "text", text: "del" }, { type: "text", text: "ta" }];
        const messages = [{ role: "user", content: "Hi" }, { role: "assistant", content: parts }, { role: "user", content: "Go" }];
        for (const [name, prompt] of renderings(messages)) expect(prompt, name).toContain("delta");
      }, // biome-ignore format: messages
    },
  },
  15: {
    name: "arguments that are no JSON object crash, or reach the template in the wrong type",
    tests: {
      "every template at hand prints what was called with what": () => {
        for (const text of ['{"city":"Rome"}', '{"city":', "null", "", "[1]", '"Rome"'])
          for (const [name, prompt] of renderings(calling(text))) {
            expect(prompt, `${name}: ${text}`).toContain("get_weather");
            if (text.includes("city")) expect(prompt, `${name}: ${text}`).toContain("city");
            expect(prompt, `${name}: ${text}`).not.toContain('\\\\"city');
          }
      },
    },
  },
  16: {
    name: "response_format text, or tool_choice as an object, refused",
    tests: {
      "text is what an answer is anyway": async () => {
        const answer = await plain({}, { response_format: { type: "text" } });
        expect(answer.choices[0]!.message.content).toBe("Hello");
      },
    },
    pending: "json",
  },
  17: { name: "tool_choice none or required not enforced", pending: "tools" },
  18: {
    name: "one of the two token limits ignored, null taken for a value, a default limit",
    tests: {
      "both limits hold": async () => {
        for (const limit of [
          { max_tokens: 3 },
          { max_completion_tokens: 3 },
          { max_tokens: 3, max_completion_tokens: null },
        ])
          expect((await plain(RANDOM, { ...SAMPLED, max_tokens: null, ...limit })).usage.completion_tokens).toBe(3);
      },
      "without one, or with null, the answer may fill the context": async () => {
        for (const max_tokens of [null, undefined] as (null | undefined)[]) {
          const { usage, choices } = await plain(RANDOM, { max_tokens: max_tokens as null });
          expect([usage.total_tokens, choices[0]!.finish_reason]).toEqual([256, "length"]);
        }
      },
      "null is absence for every field": async () => {
        const nulls = Object.fromEntries("temperature top_p n stop stream logprobs top_logprobs logit_bias stream_options".split(" ").map((name) => [name, null]));
        const answer = async (params: object) => (await plain(RANDOM, { ...SAMPLED, ...params })).choices;
        expect(await answer({ ...nulls })).toEqual(await answer({ temperature: 1 }));
      }, // biome-ignore format: a list
    },
  },
  19: {
    name: "the model card's sampling in place of temperature 1 and top_p 1",
    tests: {
      "a file that recommends greedy sampling changes nothing": async () => {
        const card = { "general.sampling.temp": { type: "float32", value: 0 }, "general.sampling.top_k": 1 } as const;
        const params = { temperature: null, seed: 4, max_tokens: 12 };
        const { engine } = await openWithMetadata(card, RANDOM);
        const answer = (await ask(engine, params)).choices;
        expect(answer).toEqual((await plain(RANDOM, { ...params, temperature: 1, top_p: 1 })).choices);
        expect(answer).not.toEqual((await plain(RANDOM, { ...params, temperature: 0 })).choices);
      },
    },
  },
  20: {
    name: "penalties that count the prompt, or multiply",
    tests: {
      "the prompt's tokens are free, and each repetition of the answer costs the same": async () => {
        const messages = [{ role: "user" as const, content: "xxxxxxxx" }];
        const text = async (params: Params) =>
          (await plain({ logits: xOverY }, { messages, max_tokens: 6, ...params })).choices[0]!.message.content;
        expect(await text({})).toBe("xxxxxx");
        expect(await text({ frequency_penalty: 1 })).toBe("xyxyxy"); // 10; 9 : 9.5; 9 : 8.5; 8 : 8.5; …
        expect(await text({ frequency_penalty: 0.2 })).toBe("xxxyxy"); // 10; 9.8; 9.6; 9.4 : 9.5; 9.4 : 9.3; 9.2 : 9.3
        expect(await text({ presence_penalty: 1 })).toBe("xyxxxx"); // 10; 9 : 9.5; 9 : 8.5; and no more than once
      },
    },
  },
  21: {
    name: "one seed for all choices, or answers that depend on the batch",
    tests: {
      "choices differ": async () => {
        const { choices } = await plain(RANDOM, { ...SAMPLED, n: 5 });
        expect(new Set(choices.map(({ message }) => message.content)).size).toBe(5);
      },
      "the same seed gives the same answer alone, again, and among others": async () => {
        const { engine } = await openScripted(RANDOM);
        const answer = async (params: Params = {}) => (await ask(engine, { ...SAMPLED, ...params })).choices;
        const alone = await answer();
        expect(await answer()).toEqual(alone);
        const [among] = await Promise.all([answer(), answer({ seed: 5, n: 4 }), read(engine, { ...SAMPLED, seed: 6 })]);
        expect(among).toEqual(alone);
        expect((await answer({ n: 4 }))[0]).toEqual(alone[0]);
      },
    },
  },
  22: {
    name: "parameters accepted and ignored",
    tests: {
      "what is accepted has its effect": async () => {
        const text = async (params: Params) =>
          (await plain(RANDOM, { ...SAMPLED, ...params })).choices[0]!.message.content;
        expect(await text({ logit_bias: { [X]: 100 } })).toBe("x".repeat(12));
        expect(await text({ seed: 5 })).not.toBe(await text({ seed: 6 }));
        expect((await plain(RANDOM, { ...SAMPLED, n: 7 })).choices.length).toBe(7);
        const prediction = { type: "content" as const, content: "Hello" };
        const { completion_tokens_details } = (await plain({ reply: "Hello" }, { prediction })).usage;
        expect(completion_tokens_details.accepted_prediction_tokens).toBeGreaterThan(0);
      },
      "what has none is refused by name": async () => {
        const { engine } = await openScripted();
        const wishes: [object, string][] = [
          [{ modalities: ["text", "audio"] }, "modalities"],
          [{ audio: { voice: "alloy", format: "wav" } }, "audio"],
          [{ prediction: { type: "content", content: [{ type: "image_url" }] } }, "prediction.content[0].type"],
          [{ web_search_options: {} }, "web_search_options"],
          [{ verbosity: "low" }, "verbosity"],
          [{ moderation: { model: "m" } }, "moderation"],
          [{ prompt_cache_options: { mode: "explicit" } }, "prompt_cache_options.mode"],
          [{ best_of: 2 }, "best_of"],
          [{ Temperature: 0 }, "Temperature"],
          [{ stream: true, stream_options: { include_usages: true } }, "stream_options.include_usages"],
        ];
        for (const [params, param] of wishes)
          expect(await refusal(ask(engine, params)), param).toMatchObject({ status: 400, param });
      },
    },
  },
};
