// Too little memory for all who run: the latest gives way and comes back, and nobody's answer changes by a bit.
import { expect, test } from "vitest";
import type { ChatCompletionChunk } from "../../src/api/types.ts";
import { openEngine } from "../../src/engine/engine.ts";
import { modelAtHand } from "../../src/engine/model-opener.ts";
import type { RuntimeHost } from "../../src/engine/runtime-host.ts";
import { createReferenceRuntime } from "../../src/runtime/reference-runtime.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { memorySource } from "../../src/storage/byte-source.ts";
import { tinyModel } from "../fixtures/tiny-models.ts";
import { judged } from "./judged.ts";

const MODEL = tinyModel({ tokenizer: true, layerCount: 1, contextLength: 256, seed: 5 });
const CONTEXT_PAGES = 256 / 64;
const PARAMS = { model: "tiny", seed: 3, logprobs: true, ignore_eos: true };
const asking = (content: string) => ({ ...PARAMS, messages: [{ role: "user" as const, content }] });

async function open(pageCount: number) {
  let rewinds = 0;
  const host: RuntimeHost = {
    adapter: "reference",
    features: [],
    plan: (spec) => ({
      bytes: 0,
      async create({ gguf, signal }): Promise<Runtime> {
        const runtime = await createReferenceRuntime({ model: gguf, spec, signal, pageCount });
        return {
          ...runtime,
          rewind(sequence, length) {
            rewinds++;
            return runtime.rewind(sequence, length);
          },
        };
      },
    }),
    dispose: () => {},
  };
  const openModel = modelAtHand({ files: [memorySource(MODEL)] });
  const engine = await openEngine({ id: "tiny", openModel, openHost: async () => host });
  return { engine: judged(engine), rewinds: () => rewinds };
}

type Opened = Awaited<ReturnType<typeof open>>["engine"];

const choicesOf = async (engine: Opened, content: string, n: number, max_tokens: number) =>
  (await engine.chat.completions.create({ ...asking(content), n, max_tokens })).choices;

test("choices that do not fit together are the same as those that do", async () => {
  const ample = await open(64);
  const expected = await choicesOf(ample.engine, "Tell me of the sea.", 6, 90);
  expect(ample.rewinds()).toBe(0);
  const scarce = await open(CONTEXT_PAGES + 2);
  expect(await choicesOf(scarce.engine, "Tell me of the sea.", 6, 90)).toEqual(expected);
  expect(scarce.rewinds()).toBeGreaterThan(0);
});

test("requests that do not fit together all end, each as if it were alone", async () => {
  const texts = ["rain", "snow", "wind", "hail", "fog"];
  const expected = [];
  for (const text of texts) expected.push(await choicesOf((await open(64)).engine, text, 2, 120));
  const { engine, rewinds } = await open(CONTEXT_PAGES + 1);
  expect(await Promise.all(texts.map((text) => choicesOf(engine, text, 2, 120)))).toEqual(expected);
  expect(rewinds()).toBeGreaterThan(0);
});

test("a reader who has stopped yields first, and gets the rest of its answer when it reads again", async () => {
  const alone = (await open(64)).engine;
  const expected = await choicesOf(alone, "slow", 1, 150);
  const { engine } = await open(CONTEXT_PAGES);
  const stream = await engine.chat.completions.create({ ...asking("slow"), max_tokens: 150, stream: true });
  const iterator = stream[Symbol.asyncIterator]();
  const chunks: ChatCompletionChunk[] = [(await iterator.next()).value];
  await choicesOf(engine, "wait for it", 1, 20);
  expect((await choicesOf(engine, "x".repeat(40), 1, 180))[0]?.logprobs?.content?.length).toBe(180);
  for (let next = await iterator.next(); !next.done; next = await iterator.next()) chunks.push(next.value);
  const entries = chunks.flatMap(({ choices }) => choices[0]?.logprobs?.content ?? []);
  expect(entries).toEqual(expected[0]?.logprobs?.content);
});

test("one answer alone may fill all the memory, and no answer has more than the context", async () => {
  const { engine } = await open(CONTEXT_PAGES);
  const { usage, choices } = await engine.chat.completions.create(asking("long"));
  expect(usage.total_tokens).toBe(256);
  expect(choices[0]?.finish_reason).toBe("length");
});

test("an abort while it waits for memory ends a request, and the others are the same", async () => {
  const expected = await choicesOf((await open(64)).engine, "rain", 4, 100);
  const { engine } = await open(CONTEXT_PAGES);
  const controller = new AbortController();
  const first = choicesOf(engine, "rain", 4, 100);
  const second = engine.chat.completions.create(
    { ...asking("snow"), n: 4, max_tokens: 100 },
    { signal: controller.signal },
  );
  const refused = expect(second).rejects.toMatchObject({ code: "aborted" });
  await new Promise((resolve) => setTimeout(resolve, 60));
  controller.abort();
  await refused;
  expect(await first).toEqual(expected);
});
