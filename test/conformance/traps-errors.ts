// Traps 23 to 34: errors, the values of answers, and what is special to an engine inside a page.
import { expect, vi } from "vitest";
import { EngineError } from "../../src/base/errors.ts";
import { nextTask } from "../../src/base/event-loop.ts";
import type { RequestStats } from "../../src/engine/stats.ts";
import { openAIFaults } from "../api/openai-schema.ts";
import { collectUntil } from "../base/garbage.ts";
import { certain, openScripted, type Script, scattered, TOKENIZER } from "../engine/scripted-runtime.ts";
import { addedUp } from "../fuzz/answer-faults.ts";
import { ask, BASE, openWithMetadata, plain, read, refusal, stream, type Traps, textOf } from "./trap.ts";

const RANDOM = { logits: scattered };
const SAMPLED = { temperature: 1, seed: 4, max_tokens: 12 };
const ENDLESS: Script = { logits: () => certain(TOKENIZER.encode("a")[0]!) };
const failing = (code: "device_lost" | "out_of_memory" | "numeric_fault"): Script => ({
  beforeStep() {
    throw new EngineError(code, "The script says so.");
  },
});

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await nextTask();
}

export const ERROR_TRAPS: Traps = {
  23: {
    name: "errors without their envelope or type, template errors as 500, errors as 200",
    http: true,
    tests: {
      "every error has a status, a type, a message, and a code that is a word": async () => {
        const { engine } = await openScripted();
        const bad = await refusal(ask(engine, { temperature: 3 }));
        expect(bad).toEqual({
          status: 400,
          message: "Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 3 instead.",
          type: "invalid_request_error",
          param: "temperature",
          code: "decimal_above_max_value",
        });
        expect(await refusal(ask(engine, { model: "other" }))).toMatchObject({ status: 404, code: "model_not_found" });
        for (const code of ["device_lost", "out_of_memory", "numeric_fault"] as const) {
          const { engine: broken } = await openScripted(failing(code));
          expect(await refusal(ask(broken))).toMatchObject({ status: 500, type: "server_error", param: null, code });
        }
      },
      "a template's own refusal is the caller's error, in its words": async () => {
        const source =
          "{% if messages[0].content == 'Hi' %}{{ raise_exception('Say more than Hi') }}{% endif %}{{ messages[0].content }}";
        const { engine } = await openWithMetadata({ "tokenizer.chat_template": source });
        const error = await refusal(ask(engine));
        expect(error).toMatchObject({ status: 400, code: "template_error", param: "messages" });
        expect(error.message).toContain("Say more than Hi");
      },
    },
  },
  24: {
    name: "an answer that was cut, told as stop",
    tests: {
      "length where a limit or the context ended it, also when the next token would have been the end": async () => {
        const tokens = TOKENIZER.encode("Hello").length;
        expect((await plain({}, { max_tokens: tokens })).choices[0]!.finish_reason).toBe("length");
        expect((await plain({}, { max_tokens: tokens + 1 })).choices[0]!.finish_reason).toBe("stop");
        expect((await plain(ENDLESS)).choices[0]!.finish_reason).toBe("length");
        const { choices } = await plain({}, { max_tokens: tokens, stop: "lo" });
        expect(choices[0]!.finish_reason).toBe("stop"); // the stop string came first
      },
    },
    pending: "json",
  },
  25: {
    name: "created in milliseconds, keys that are missing, ids that are used twice",
    tests: {
      "an answer has every key that it has to have": async () => {
        const { created, choices, ...answer } = await plain({});
        expect(Number.isInteger(created) && Math.abs(created - Date.now() / 1000) < 60).toBe(true);
        expect(answer).toMatchObject({
          object: "chat.completion",
          model: "tiny",
          system_fingerprint: expect.any(String),
        });
        expect(choices).toEqual([
          {
            index: 0,
            message: { role: "assistant", content: "Hello", refusal: null, annotations: [] },
            logprobs: null,
            finish_reason: "stop",
          },
        ]);
      },
      "an answer of no token is an empty text": async () => {
        expect((await plain({ reply: [] })).choices[0]!.message.content).toBe("");
      },
      "ids are unique": async () => {
        const { engine } = await openScripted();
        const answers = await Promise.all(Array.from({ length: 50 }, () => ask(engine)));
        expect(new Set(answers.map(({ id }) => id)).size).toBe(50);
      },
    },
    pending: "tools",
  },
  26: {
    name: "reasoning in the content, or counted and not told",
    tests: {
      "nothing is hidden, and nothing is counted as hidden": async () => {
        const { usage } = await plain({});
        expect(usage.completion_tokens_details.reasoning_tokens).toBe(0);
        expect(usage.completion_tokens).toBe(TOKENIZER.encode("Hello").length);
      },
    },
    pending: "reasoning",
  },
  27: { name: "JSON that never ends", pending: "json" },
  28: {
    name: "usage that counts end tokens, differs with streaming, or is no sum",
    tests: {
      "the same streamed and plain; the end token is not counted; cached tokens are among the prompt's": async () => {
        for (const params of [{}, { n: 3 }, { max_tokens: 2 }, { stop: "ll" }]) {
          const { usage } = await plain({}, { ...params, return_token_ids: true });
          const chunks = await stream({}, { ...params, stream_options: { include_usage: true } });
          expect(chunks.at(-1)!.usage).toEqual(usage);
          expect(usage.total_tokens).toBe(usage.prompt_tokens + usage.completion_tokens);
          expect(usage.prompt_tokens_details.cached_tokens).toBeLessThanOrEqual(usage.prompt_tokens);
        }
        const { usage, prompt_token_ids } = await plain({}, { n: 3, return_token_ids: true });
        expect(usage.completion_tokens).toBe(3 * TOKENIZER.encode("Hello").length);
        expect(usage.prompt_tokens).toBe(prompt_token_ids!.length);
      },
    },
  },
  29: {
    name: "a failed request that is computed again and again by retries",
    http: true,
    tests: {
      "an error comes as a rejection of its call, once, and says by its status whose fault it is": async () => {
        const stats: RequestStats[] = [];
        const { engine, runtime } = await openScripted(failing("numeric_fault"), { onStats: (one) => stats.push(one) });
        expect(await refusal(ask(engine))).toMatchObject({ status: 500 });
        expect([runtime.steps.length, stats.length]).toEqual([1, 1]);
      },
    },
  },
  30: {
    name: "an abort that does not stop the GPU, free the memory, or end the stream",
    http: true,
    tests: {
      "the signal, the controller, and leaving the loop: no further step, nothing held": async () => {
        const ways: ((engine: Awaited<ReturnType<typeof openScripted>>["engine"]) => Promise<void>)[] = [
          async (engine) => {
            const abort = new AbortController();
            const call = engine.chat.completions.create(BASE, { signal: abort.signal });
            await turns(5);
            abort.abort();
            expect(await refusal(call)).toMatchObject({ code: "aborted" });
          },
          async (engine) => {
            const answer = await engine.chat.completions.create({ ...BASE, stream: true });
            const reader = answer[Symbol.asyncIterator]();
            await reader.next();
            answer.controller.abort();
            expect(await refusal(reader.next())).toMatchObject({ code: "aborted" });
          },
          async (engine) => {
            for await (const _ of await engine.chat.completions.create({ ...BASE, stream: true })) break;
          },
        ];
        for (const way of ways) {
          const { engine, runtime } = await openScripted(ENDLESS);
          await way(engine);
          await turns(3);
          const steps = runtime.steps.length;
          expect(runtime.openCount).toBe(0);
          await turns(20);
          expect(runtime.steps.length).toBe(steps);
        }
      },
    },
  },
  31: {
    name: "a slow reader for whom the engine computes without bound, or holds up all others; a stream thrown away that stays",
    http: true,
    tests: {
      "is at most 64 chunks ahead, and others go on": async () => {
        const { engine, runtime } = await openScripted(ENDLESS);
        const slow = await engine.chat.completions.create({ ...BASE, stream: true, max_tokens: 150 });
        await turns(300);
        expect(runtime.steps.length).toBeLessThanOrEqual(65);
        expect((await ask(engine, { max_tokens: 3 })).usage.completion_tokens).toBe(3);
        let text = "";
        for await (const { choices } of slow) text += choices[0]?.delta.content ?? "";
        expect(text).toBe("a".repeat(150));
      },
      "a stream that nobody can read any more is ended": async () => {
        const { engine, runtime } = await openScripted(ENDLESS);
        await (async () => void (await engine.chat.completions.create({ ...BASE, stream: true })))();
        await turns(100);
        await collectUntil(() => runtime.openCount === 0);
        expect(runtime.openCount).toBe(0);
      },
    },
  },
  32: {
    name: "two kinds of object for one answer",
    http: true,
    tests: {
      "the direct answer is plain JSON of OpenAI's shape, a stream has its controller, and both say the same":
        async () => {
          const { engine } = await openScripted(RANDOM);
          const params = { ...SAMPLED, n: 2, logprobs: true };
          const answer = await ask(engine, params);
          const chunks = await read(engine, { ...params, stream_options: { include_usage: true } });
          expect(JSON.parse(JSON.stringify([answer, chunks]))).toEqual([answer, chunks]);
          const { id, created, ...same } = answer;
          expect(addedUp(chunks)).toMatchObject(same);
          expect((await engine.chat.completions.create({ ...BASE, stream: true })).controller).toBeInstanceOf(
            AbortController,
          );
          expect(openAIFaults("CreateChatCompletionResponse")(answer)).toEqual([]);
          expect(chunks.flatMap(openAIFaults("CreateChatCompletionStreamResponse"))).toEqual([]);
        },
    },
  },
  33: { name: "stored completions that miss streams, or hold what was aborted", pending: "storage" },
  34: {
    name: "a long answer that a timer cuts",
    http: true,
    tests: {
      "a step of eleven minutes is reported as stalled, and then used": async () => {
        vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
        try {
          let goOn = () => {};
          const held = new Promise<void>((resolve) => {
            goOn = resolve;
          });
          const stalls: string[] = [];
          const onStall = ({ stage }: { readonly stage: string }) => stalls.push(stage);
          const { engine } = await openScripted({ beforeStep: (step) => (step === 1 ? held : undefined) }, { onStall });
          const answer = read(engine);
          await turns(5);
          vi.advanceTimersByTime(11 * 60_000);
          goOn();
          expect(textOf(await answer)).toBe("Hello");
          expect(stalls).toEqual(["decode"]);
        } finally {
          vi.useRealTimers();
        }
      },
    },
  },
};
