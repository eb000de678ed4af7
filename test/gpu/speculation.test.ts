// Drafts on a real device: rows of several tokens, cut where they were wrong, give the ids and the logprobs of single tokens, to
// the bit.
import { expect, test } from "vitest";
import { openEngine } from "../../src/engine/engine.ts";
import { gpuHost } from "../../src/engine/gpu-host.ts";
import { modelAtHand } from "../../src/engine/model-opener.ts";
import { memorySource } from "../../src/storage/byte-source.ts";
import { tinyModel } from "../fixtures/tiny-models.ts";
import { describeFirstAdapter, type TestAdapter } from "./adapters.ts";

const MODEL = tinyModel({ tokenizer: true, format: "Q4_0", contextLength: 256, seed: 7 });
const TOKENS = 90; // over more than one page
const asking = (more: object) => ({
  model: "tiny",
  messages: [{ role: "user" as const, content: "the sea, the sea" }],
  seed: 3,
  max_tokens: TOKENS,
  ignore_eos: true,
  logprobs: true,
  top_logprobs: 3,
  return_token_ids: true,
  ...more,
});
const CASES = {
  greedy: { temperature: 0 },
  sampled: { temperature: 1 },
  "sampled, of three choices": { temperature: 0.7, n: 3 },
  "with penalties": { temperature: 0, presence_penalty: 1.5, frequency_penalty: 1 },
};

async function open(adapter: TestAdapter, speculate: "off" | "lookup", gpuSampling = false) {
  const openModel = modelAtHand({ files: [memorySource(MODEL)] });
  const openHost = gpuHost(await adapter.gpu(), { gpuSampling });
  return openEngine({ id: "tiny", openModel, openHost, speculate });
}

describeFirstAdapter("speculation", (adapter) => {
  test("greedy, sampled, with choices or penalties, sampled on the CPU or the GPU: a prediction and a lookup change no id and no bit", async () => {
    const [off, lookup] = [await open(adapter, "off"), await open(adapter, "lookup")];
    const sampling = await open(adapter, "lookup", true);
    for (const [name, how] of Object.entries(CASES)) {
      const expected = await off.chat.completions.create(asking(how));
      const [choice] = expected.choices;
      expect(choice!.token_ids!.length).toBe(TOKENS);
      const whole = choice!.message.content!;
      let accepted = 0;
      for (const content of [whole, whole.slice(0, 40) + whole.slice(50), `the sea ${whole}`]) {
        for (const engine of [off, lookup, sampling]) {
          const params = asking({ ...how, prediction: { type: "content", content } });
          const answer = await engine.chat.completions.create(params);
          expect(answer.choices, name).toEqual(expected.choices);
          accepted += answer.usage.completion_tokens_details.accepted_prediction_tokens;
        }
      }
      expect(accepted).toBeGreaterThan(0);
      expect((await lookup.chat.completions.create(asking(how))).choices, name).toEqual(expected.choices);
    }
    for (const engine of [off, lookup, sampling]) await engine.dispose();
  });
});
