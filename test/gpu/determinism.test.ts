// The same request and seed give the same tokens and the same logprobs, to the bit: the matrix of `npm run determinism`, on a
// tiny model, and choices beside choices.
import { expect, test } from "vitest";
import { openEngine } from "../../src/engine/engine.ts";
import { gpuHost } from "../../src/engine/gpu-host.ts";
import { modelAtHand } from "../../src/engine/model-opener.ts";
import { memorySource } from "../../src/storage/byte-source.ts";
import { describeCombination, runMatrix } from "../endurance/determinism.ts";
import { tinyModel } from "../fixtures/tiny-models.ts";
import { describeFirstAdapter } from "./adapters.ts";

const MODEL = tinyModel({ tokenizer: true, format: "Q4_0", contextLength: 512, seed: 7 });
const OPEN = modelAtHand({ files: [memorySource(MODEL)] });
const SEEDS = [1, 2, -3, "9223372036854775807"];
/** Short, around a segment's and a page's length, and over several. */
const LENGTHS = [1, 2, 7, 20, 40, 45, 46, 64, 110, 180, 230, 300];

describeFirstAdapter("determinism", (adapter) => {
  test("12 prompts x 4 seeds, streamed or not, cold or warm, in segments of 64 or 256, alone or with 3 others, guessed ahead or not: no bit differs", async () => {
    const prompts = LENGTHS.map((length, index) => "abcdefghijkl"[index]!.repeat(length));
    const { rows, distinctAnswers } = await runMatrix({
      gpu: await adapter.gpu(),
      openModel: OPEN,
      prompts,
      seeds: SEEDS,
      tokens: 6,
      oneIn: 12,
    });
    expect(distinctAnswers).toBe(prompts.length * SEEDS.length);
    for (const { combination, guessed, ...found } of rows) {
      const name = describeCombination(combination);
      expect(found, name).toEqual({ answers: 4, ids: 0, logprobBits: 0, wrongCache: 0 });
      expect(guessed > 0, name).toBe(combination.speculation === "on");
    }
    expect(rows.length).toBe(32);
  });

  test("choice 0 is the same whatever n is, beside others or not, and choices differ", async () => {
    const engine = await openEngine({ id: "tiny", openModel: OPEN, openHost: gpuHost(await adapter.gpu()) });
    const request = {
      model: "tiny",
      messages: [{ role: "user" as const, content: "the sea" }],
      seed: 5,
      max_tokens: 10,
      ignore_eos: true,
      logprobs: true,
      top_logprobs: 3,
      return_token_ids: true,
    };
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
