// Traps 1 to 12: the shape of streams, the integrity of text, logprobs.
import { expect } from "vitest";
import { certain, END, openScripted, scattered, TOKENIZER } from "../engine/scripted-runtime.ts";
import { ask, plain, read, stream, type Traps, textOf } from "./trap.ts";

const encode = (text: string) => [...TOKENIZER.encode(text)];
const PIECES = Array.from({ length: TOKENIZER.vocabSize }, (_, id) => TOKENIZER.piece(id));
const tokenOfByte = (byte: number) => PIECES.findIndex((piece) => piece.length === 1 && piece[0] === byte);
/** One token a byte. */
const byBytes = (text: string) => [...new TextEncoder().encode(text)].map(tokenOfByte);
const RANDOM = { logits: scattered };
const SAMPLED = { temperature: 1, seed: 4, max_tokens: 12 };

export const TEXT_TRAPS: Traps = {
  1: {
    name: "usage in every chunk, or beside choices",
    tests: {
      "comes once, last, without choices, and is null before": async () => {
        const chunks = await stream({}, { n: 2, stream_options: { include_usage: true } });
        const last = chunks.pop();
        expect(last).toMatchObject({ choices: [], usage: { completion_tokens: 2 * encode("Hello").length } });
        expect(chunks.every(({ usage, choices }) => usage === null && choices.length === 1)).toBe(true);
      },
      "an empty stream_options, or none, asks for none": async () => {
        for (const stream_options of [{}, { include_usage: false }, null, undefined])
          for (const chunk of await stream({}, { stream_options: stream_options as never }))
            expect(chunk).not.toHaveProperty("usage");
      },
    },
  },
  2: { name: "calls without an index, or all with index 0", pending: "tools" },
  3: { name: "id and name repeated, or null, in the fragments of a call", pending: "tools" },
  4: { name: "bytes of arguments in a call's first chunk", pending: "tools" },
  5: {
    name: "a finish_reason that is empty, missing, or another one than in the plain answer",
    tests: {
      "is null until the one chunk that ends a choice, and the plain answer's": async () => {
        for (const [params, reason] of [[{}, "stop"], [{ max_tokens: 2 }, "length"], [{ stop: "ll" }, "stop"]] as const) {
          const chunks = await stream({}, params);
          const reasons = chunks.map(({ choices }) => choices[0]!.finish_reason);
          expect(reasons).toEqual([...Array(chunks.length - 1).fill(null), reason]);
          expect((await plain({}, params)).choices[0]!.finish_reason).toBe(reason);
        } // biome-ignore format: a table
      },
    },
    pending: "tools",
  },
  6: {
    name: "a new id in each chunk, or no chunk with the role",
    tests: {
      "one id, time and model; the role first in each choice, and only there": async () => {
        const chunks = await stream(RANDOM, { ...SAMPLED, n: 3 });
        expect(new Set(chunks.map(({ id, created, model }) => `${id} ${created} ${model}`)).size).toBe(1);
        for (const index of [0, 1, 2]) {
          const own = chunks.flatMap(({ choices }) => choices).filter((choice) => choice.index === index);
          expect(own.map(({ delta }) => delta.role)).toEqual(["assistant", ...Array(own.length - 1).fill(undefined)]);
        }
      },
    },
  },
  7: {
    name: "deltas that do not add up to the plain text",
    tests: {
      "texts and logprobs of every choice add up": async () => {
        const params = { ...SAMPLED, n: 3, logprobs: true, top_logprobs: 2, stop: ["e", "ÿ"] };
        const { engine } = await openScripted(RANDOM);
        const chunks = await read(engine, params);
        for (const { index, message, logprobs } of (await ask(engine, params)).choices) {
          expect(textOf(chunks, index)).toBe(message.content);
          const own = chunks.flatMap(({ choices }) => choices).filter((choice) => choice.index === index);
          expect(own.flatMap((choice) => choice.logprobs?.content ?? [])).toEqual(logprobs?.content);
        }
      },
    },
  },
  8: {
    name: "characters that span tokens broken into replacement characters, or a stream that stalls on them",
    tests: {
      "whole characters, in the stream and in the plain text": async () => {
        const text = "é日🙂👩‍👧 ok";
        const contents = (await stream({ reply: byBytes(text) })).map(({ choices }) => choices[0]!.delta.content ?? "");
        expect(contents.join("")).toBe(text);
        expect(contents.filter((content) => content.includes("\ufffd"))).toEqual([]);
        expect((await plain({ reply: byBytes(text) })).choices[0]!.message.content).toBe(text);
      },
      "what is no character is told as such, and the text goes on": async () => {
        const chunks = await stream({ reply: [tokenOfByte(0xff), ...encode("a"), tokenOfByte(0xf0), ...encode("b")] });
        expect(textOf(chunks)).toBe("\ufffda\ufffdb");
      },
      "a character that is cut by the end is flushed": async () => {
        expect(textOf(await stream({ reply: byBytes("a🙂") }, { max_tokens: 3 }))).toBe("a\ufffd");
      },
    },
  },
  9: {
    name: "stop strings missed across tokens, or their beginnings shown",
    tests: {
      "a stop string byte by byte, inside a token and across tokens": async () => {
        const cases = [
          ["Hello", byBytes("ab🙂cd"), "🙂c", "ab"],
          ["x", encode("the sea"), "e s", "th"],
          ["x", encode("the sea"), "ea", "the s"],
        ] as const;
        for (const [, reply, stop, expected] of cases) {
          const chunks = await stream({ reply }, { stop, logprobs: true });
          expect(textOf(chunks)).toBe(expected);
          const entries = chunks.flatMap(({ choices }) => choices[0]!.logprobs?.content ?? []);
          const bytes = entries.flatMap((entry) => entry.bytes ?? []);
          expect(new TextDecoder().decode(Uint8Array.from(bytes)), "logprobs are cut with the text").toBe(expected);
          expect(chunks.at(-1)!.choices[0]!.finish_reason).toBe("stop");
        } // biome-ignore format: a table
      },
      "a beginning that comes to nothing is released at the end": async () => {
        expect(textOf(await stream({ reply: "the sea" }, { stop: "sea!" }))).toBe("the sea");
        expect(textOf(await stream({ reply: "the sea" }, { stop: "ax", max_tokens: 50 }))).toBe("the sea");
      },
    },
  },
  10: {
    name: "the text of end tokens in the content",
    tests: {
      "neither at the end, nor where the answer goes on after it": async () => {
        const reply = [...encode("a"), END, ...encode("b"), 1, ...encode("c")];
        const ended = await plain({ reply });
        expect(ended.choices[0]!.message.content).toBe("a");
        expect(textOf(await stream({ reply }, { ignore_eos: true, max_tokens: reply.length }))).toBe("abc");
      },
    },
    pending: "tools",
  },
  11: {
    name: "logprobs in the shape of legacy completions, of the sampled distribution, or only with top_logprobs",
    tests: {
      "logprobs alone has entries without alternatives": async () => {
        const { logprobs } = (await plain({ reply: "the" }, { logprobs: true })).choices[0]!;
        expect(Object.keys(logprobs!).sort()).toEqual(["content", "refusal"]);
        for (const entry of logprobs!.content!) {
          expect(Object.keys(entry).sort()).toEqual(["bytes", "logprob", "token", "top_logprobs"]);
          expect(entry.top_logprobs).toEqual([]);
        }
      },
      "values are the model's own, whatever the sampler does": async () => {
        const first = async (params: object) => {
          const answer = await plain(RANDOM, { seed: 1, max_tokens: 1, logprobs: true, top_logprobs: 5, ...params });
          return answer.choices[0]!.logprobs!.content![0]!.top_logprobs;
        };
        const raw = await first({});
        for (const params of [{ temperature: 2 }, { top_k: 1 }, { top_p: 0.1 }, { logit_bias: { "70": 100 } }])
          expect(await first(params), JSON.stringify(params)).toEqual(raw);
      },
    },
    pending: "tools",
  },
  12: {
    name: "infinite logprobs, bytes of the replacement character, entries that do not match the text",
    tests: {
      "the impossible is -9999, and all survives JSON": async () => {
        const logits = () => certain(70).map((value) => (value === 0 ? Number.NEGATIVE_INFINITY : value));
        const answer = await plain({ logits }, { logprobs: true, top_logprobs: 3, max_tokens: 2 });
        expect(answer.choices[0]!.logprobs!.content![0]!.top_logprobs.map(({ logprob }) => logprob)).toEqual([
          0, -9999, -9999,
        ]);
        expect(JSON.parse(JSON.stringify(answer))).toEqual(answer);
      },
      "each entry has its own token's bytes, one entry a token": async () => {
        const reply = byBytes("é🙂");
        const entries = (await plain({ reply }, { logprobs: true })).choices[0]!.logprobs!.content!;
        expect(entries.map(({ bytes }) => bytes)).toEqual([...new TextEncoder().encode("é🙂")].map((byte) => [byte]));
      },
    },
  },
};
