// Prefixes that were computed are not computed again, and no repeatable answer can tell.
import { expect, test } from "vitest";
import { type EngineOptions, openEngine } from "../../src/engine/engine.ts";
import { modelAtHand } from "../../src/engine/model-opener.ts";
import type { RuntimeHost } from "../../src/engine/runtime-host.ts";
import { createReferenceRuntime } from "../../src/runtime/reference-runtime.ts";
import { memorySource } from "../../src/storage/byte-source.ts";
import { tinyModel } from "../fixtures/tiny-models.ts";
import { judged } from "./judged.ts";

const MODEL = tinyModel({ tokenizer: true, layerCount: 1, contextLength: 512, seed: 5 });
const PAGE = 64;

async function open(options: Partial<EngineOptions> = {}) {
  const prefilled: number[] = [];
  const host: RuntimeHost = {
    adapter: "reference",
    features: [],
    plan: (spec) => ({
      bytes: 0,
      async create({ gguf, signal }) {
        const runtime = await createReferenceRuntime({ model: gguf, spec, signal, pageCount: 24 });
        return {
          ...runtime,
          step(batch, stepSignal) {
            if (batch.stage === "prefill")
              prefilled.push(...batch.rows.map(({ input }) => ("ids" in input ? input.ids.length : 0)));
            return runtime.step(batch, stepSignal);
          },
        };
      },
    }),
    dispose: () => {},
  };
  const openModel = modelAtHand({ files: [memorySource(MODEL)] });
  const engine = await openEngine({ id: "tiny", openModel, openHost: async () => host, ...options });
  return { engine: judged(engine), prefilled };
}

type Message = { role: "user" | "assistant"; content: string };
const user = (content: string): Message => ({ role: "user", content });
const LONG = user("a long question ".repeat(12));
const asking = (messages: Message[], more: object = {}) => ({
  model: "tiny",
  messages,
  max_tokens: 20,
  ignore_eos: true,
  logprobs: true,
  ...more,
});
const GREEDY = { temperature: 0 };
const wholePages = (tokens: number) => Math.floor((tokens - 1) / PAGE) * PAGE;

test("the same prompt again needs its last page alone; the answer has the same bits, and usage says what was cached", async () => {
  const { engine, prefilled } = await open();
  const cold = await engine.chat.completions.create(asking([LONG], GREEDY));
  const { prompt_tokens } = cold.usage;
  expect(cold.usage.prompt_tokens_details.cached_tokens).toBe(0);
  expect(prefilled.splice(0)).toEqual([prompt_tokens]);
  const warm = await engine.chat.completions.create(asking([LONG], GREEDY));
  const cached = wholePages(prompt_tokens);
  expect(cached).toBeGreaterThan(PAGE);
  expect(prefilled).toEqual([prompt_tokens - cached]);
  expect(warm.usage).toEqual({ ...cold.usage, prompt_tokens_details: { cached_tokens: cached, audio_tokens: 0 } });
  expect(warm.choices).toEqual(cold.choices);
});

test("a second turn computes what is new", async () => {
  const { engine, prefilled } = await open();
  const first = await engine.chat.completions.create(asking([LONG], GREEDY));
  prefilled.length = 0;
  const messages = [LONG, { role: "assistant" as const, content: first.choices[0]!.message.content! }, user("and?")];
  const second = await engine.chat.completions.create(asking(messages, GREEDY));
  expect(second.usage.prompt_tokens_details.cached_tokens).toBeGreaterThanOrEqual(
    wholePages(first.usage.prompt_tokens),
  );
  const { engine: fresh } = await open();
  expect((await fresh.chat.completions.create(asking(messages, GREEDY))).choices).toEqual(second.choices);
});

test.each<[string, object, boolean]>([
  ["greedy", GREEDY, true],
  ["seeded", { seed: 7 }, true],
  ["left to chance", {}, false],
])("what decode made is not for an answer that is %s, unless nothing could tell", async (_, more, exact) => {
  const { engine } = await open();
  // One token that merges with nothing, so that the answer sent back has the tokens that were sampled.
  const long = { max_tokens: 120, logit_bias: { [3 + "!".charCodeAt(0)]: 100 } };
  const { choices, usage } = await engine.chat.completions.create(asking([user("Hi")], long));
  const content = choices[0]!.message.content!;
  const messages = [user("Hi"), { role: "assistant" as const, content }];
  const next = await engine.chat.completions.create(asking(messages, more));
  const { cached_tokens } = next.usage.prompt_tokens_details;
  if (exact) expect(cached_tokens).toBe(wholePages(usage.prompt_tokens));
  else expect(cached_tokens).toBe(wholePages(usage.prompt_tokens + 119));
});

test("cold or warm, alone or beside others: greedy and seeded answers have the same bits", async () => {
  const prompts = ["rain ", "snow "].map((word) => [user(word.repeat(30))]);
  const cases = prompts.flatMap((messages) =>
    [GREEDY, { seed: 1 }, { seed: 2, n: 3 }].map((more) => asking(messages, more)),
  );
  const expected = [];
  for (const request of cases) expected.push((await (await open()).engine.chat.completions.create(request)).choices);
  const { engine } = await open();
  for (let round = 0; round < 2; round++) {
    const together = await Promise.all(cases.map((request) => engine.chat.completions.create(request)));
    expect(together.map(({ choices }) => choices)).toEqual(expected);
    expect(together.at(-1)!.usage.prompt_tokens_details.cached_tokens > 0).toBe(round > 0);
  }
});

test("choices share what is cached, and the prompt is counted once", async () => {
  const { engine, prefilled } = await open();
  const { usage } = await engine.chat.completions.create(asking([LONG], { n: 4, seed: 1 }));
  prefilled.length = 0;
  const again = await engine.chat.completions.create(asking([LONG], { n: 4, seed: 2 }));
  expect(again.usage.prompt_tokens_details.cached_tokens).toBe(wholePages(usage.prompt_tokens));
  expect(prefilled).toEqual([usage.prompt_tokens - wholePages(usage.prompt_tokens)]);
});

test("with isolateUsers nobody is served from what another's prompt computed", async () => {
  for (const [isolateUsers, expected] of [[true, [0, 0, true]], [false, [0, true, true]]] as const) {
    const { engine } = await open({ isolateUsers });
    const cached: number[] = [];
    for (const fields of [{ user: "ann" }, { safety_identifier: "bob" }, { user: "ann" }]) {
      const { usage } = await engine.chat.completions.create(asking([LONG], { ...GREEDY, ...fields }));
      cached.push(usage.prompt_tokens_details.cached_tokens);
    }
    expect(cached.map((count) => (count > 0 ? true : 0))).toEqual(expected);
  } // biome-ignore format: a table
});

test("a request for the prompt's logprobs computes all of it", async () => {
  const { engine } = await open();
  await engine.chat.completions.create(asking([LONG], GREEDY));
  const { usage, prompt_logprobs } = await engine.chat.completions.create(
    asking([LONG], { ...GREEDY, prompt_logprobs: 1 }),
  );
  expect(usage.prompt_tokens_details.cached_tokens).toBe(0);
  expect(prompt_logprobs?.length).toBe(usage.prompt_tokens);
});

test("what is cached is no obstacle: prompts go on fitting when the cache has filled the memory", async () => {
  const { engine } = await open();
  for (let turn = 0; turn < 12; turn++) {
    const { usage } = await engine.chat.completions.create(asking([user(`${turn} `.repeat(100))], GREEDY));
    expect(usage.completion_tokens).toBe(20);
  }
});
