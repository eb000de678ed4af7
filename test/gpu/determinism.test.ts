// The same request and seed give the same tokens and the same logprobs, to the bit: streamed or not, fresh or after other
// requests, alone or beside others, whatever the prompt was cut into.
import { expect, test } from "vitest";
import type { ChatCompletionChunk, ChatCompletionTokenLogprob } from "../../src/api/types.ts";
import { type Engine, openEngine } from "../../src/engine/engine.ts";
import { modelAtHand } from "../../src/engine/model-opener.ts";
import type { RuntimePlan } from "../../src/engine/runtime-host.ts";
import { openDevice } from "../../src/gpu/device.ts";
import { planMemory } from "../../src/runtime/gpu-memory.ts";
import { createGpuRuntime } from "../../src/runtime/gpu-runtime.ts";
import { memorySource } from "../../src/storage/byte-source.ts";
import { tinyModel } from "../fixtures/tiny-models.ts";
import { describeAdapters, type TestAdapter } from "./adapters.ts";

const MODEL = tinyModel({ tokenizer: true, format: "Q4_0", contextLength: 512, seed: 7 });
const SEEDS = [1, 2, -3, "9223372036854775807"];
/** Short, around a segment's and a page's length, and over several. */
const PROMPTS = ["Hi", "the sea", "x".repeat(40), "y".repeat(110), "z".repeat(230), "w".repeat(300)];
const TOKENS = 10;

const asking = (prompt: string, seed: number | string) => ({
  model: "tiny",
  messages: [{ role: "user" as const, content: prompt }],
  seed,
  max_tokens: TOKENS,
  ignore_eos: true,
  logprobs: true,
  top_logprobs: 3,
  return_token_ids: true,
});

async function open(adapter: TestAdapter, prefillRows: number): Promise<Engine> {
  const gpu = await adapter.gpu();
  return openEngine({
    id: "tiny",
    openModel: modelAtHand({ files: [memorySource(MODEL)] }),
    async openHost() {
      const device = await openDevice(gpu);
      return {
        adapter: adapter.name,
        features: [],
        plan(spec, wish) {
          const memory = planMemory(device, spec, { ...wish, prefillRows });
          const create: RuntimePlan["create"] = ({ gguf, ...load }) =>
            createGpuRuntime({ device, model: gguf, spec, memory, ...load });
          return { bytes: memory.bytes, create };
        },
        dispose: () => device.dispose(),
      };
    },
  });
}

interface Outcome {
  readonly ids: readonly number[];
  readonly entries: readonly ChatCompletionTokenLogprob[];
}

async function plain(engine: Engine, prompt: string, seed: number | string): Promise<Outcome> {
  const [choice] = (await engine.chat.completions.create(asking(prompt, seed))).choices;
  return { ids: choice!.token_ids!, entries: choice!.logprobs!.content! };
}

async function streamed(engine: Engine, prompt: string, seed: number | string): Promise<Outcome> {
  const chunks: ChatCompletionChunk[] = [];
  const stream = await engine.chat.completions.create({ ...asking(prompt, seed), stream: true });
  for await (const chunk of stream) chunks.push(chunk);
  const choices = chunks.flatMap((chunk) => chunk.choices);
  return {
    ids: choices.flatMap(({ token_ids }) => token_ids ?? []),
    entries: choices.flatMap(({ logprobs }) => logprobs?.content ?? []),
  };
}

describeAdapters("determinism", (adapter) => {
  test("6 prompts x 4 seeds, streamed or not, fresh or not, in segments of 64 or 256, alone or together: no bit differs", async () => {
    const cases = PROMPTS.flatMap((prompt) => SEEDS.map((seed) => [prompt, seed] as const));
    const expected: Outcome[] = [];
    const [small, large] = [await open(adapter, 64), await open(adapter, 256)];
    for (const [prompt, seed] of cases) expected.push(await plain(large, prompt, seed));
    expect(expected.every(({ ids }) => ids.length === TOKENS)).toBe(true);
    const texts = expected.slice(0, SEEDS.length).map(({ ids }) => ids.join());
    expect(new Set(texts).size).toBe(SEEDS.length);

    for (const engine of [small, large]) {
      const together = await Promise.all(
        cases.map(([prompt, seed], index) => (index % 2 ? plain : streamed)(engine, prompt, seed)),
      );
      expect(together).toEqual(expected);
      for (const [index, [prompt, seed]] of [...cases.entries()].reverse()) {
        expect(await streamed(engine, prompt, seed)).toEqual(expected[index]);
      }
    }
    const fresh = await open(adapter, 64);
    expect(await streamed(fresh, ...cases.at(-1)!)).toEqual(expected.at(-1));
    for (const engine of [small, large, fresh]) await engine.dispose();
  });

  test("choice 0 is the same whatever n is, beside others or not, and choices differ", async () => {
    const engine = await open(adapter, 64);
    const request = asking("the sea", 5);
    const one = await engine.chat.completions.create(request);
    const [twenty, again] = await Promise.all([
      engine.chat.completions.create({ ...request, n: 20 }),
      engine.chat.completions.create({ ...request, n: 3 }),
    ]);
    expect(twenty.choices[0]).toEqual(one.choices[0]);
    expect(again.choices).toEqual(twenty.choices.slice(0, 3));
    expect(new Set(twenty.choices.map(({ token_ids }) => token_ids!.join())).size).toBe(20);
    await engine.dispose();
  });
});
