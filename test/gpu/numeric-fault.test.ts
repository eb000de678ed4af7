// A broken weight ends the requests that meet it with numeric_fault, and no others: RELIABILITY row 15 on real adapters.
import { expect, test } from "vitest";
import { openEngine } from "../../src/engine/engine.ts";
import { gpuHost } from "../../src/engine/gpu-host.ts";
import { modelAtHand } from "../../src/engine/model-opener.ts";
import { memorySource } from "../../src/storage/byte-source.ts";
import { writeGguf } from "../fixtures/gguf-writer.ts";
import { tinyModelParts } from "../fixtures/tiny-models.ts";
import { describeAdapters } from "./adapters.ts";

const HIDDEN = 64;
const TILDE = 3 + "~".charCodeAt(0); // the byte tokens follow three control tokens

/** Every scale in the embedding of "~" is `half`; its row of the head is sound, so that logits without it are. */
function modelWithScale(half: number): Uint8Array<ArrayBuffer> {
  const parts = tinyModelParts({ tokenizer: true, format: "Q8_0", hiddenSize: HIDDEN, tiedHead: false, seed: 3 });
  const embedding = parts.tensors!.find(({ name }) => name === "token_embd.weight")!;
  const data = embedding.data as Uint8Array;
  const rowBytes = (HIDDEN / 32) * 34;
  for (let block = 0; block < HIDDEN / 32; block++)
    new DataView(data.buffer, data.byteOffset).setUint16(TILDE * rowBytes + block * 34, half, true);
  return writeGguf(parts);
}

describeAdapters("numeric_fault", (adapter) => {
  test.each([
    ["NaN", "CPU", 0x7e00],
    ["infinite", "CPU", 0x7c00],
    ["NaN", "GPU", 0x7e00],
    ["infinite", "GPU", 0x7c00],
  ])(
    "a token whose embedding is %s, sampled on the %s, faults in prompt and answer, and the next request is as before",
    async (_, sampledOn, half) => {
      const openHost = gpuHost(await adapter.gpu(), { gpuSampling: sampledOn === "GPU" });
      const engine = await openEngine({
        id: "tiny",
        openModel: modelAtHand({ files: [memorySource(modelWithScale(half))] }),
        openHost,
      });
      const ask = async (content: string, more: object = {}) => {
        const messages = [{ role: "user" as const, content }];
        const answer = await engine.chat.completions.create({
          model: "tiny",
          messages,
          temperature: 0,
          max_tokens: 6,
          logit_bias: { [TILDE]: -100 },
          ...more,
        });
        return answer.choices[0]!.message.content;
      };
      const before = await ask("Hi");
      expect(before).not.toBe("");
      await expect(ask("~ is bad")).rejects.toMatchObject({ code: "numeric_fault" });
      expect(await ask("Hi")).toBe(before);
      await expect(ask("Hi", { logit_bias: { [TILDE]: 100 } })).rejects.toMatchObject({ code: "numeric_fault" });
      expect(await ask("Hi")).toBe(before);
      await engine.dispose();
    },
  );
});
