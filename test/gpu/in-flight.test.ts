// Steps in flight on a real device: the embedding reads tokens where sampling left them, and answers stay those of single steps.
import { expect, test } from "vitest";
import { openEngine } from "../../src/engine/engine.ts";
import { gpuHost } from "../../src/engine/gpu-host.ts";
import { modelAtHand } from "../../src/engine/model-opener.ts";
import type { Counters, Device } from "../../src/gpu/device.ts";
import type { StepBatch } from "../../src/runtime/runtime.ts";
import { memorySource } from "../../src/storage/byte-source.ts";
import { tinyModel } from "../fixtures/tiny-models.ts";
import { describeFirstAdapter, type TestAdapter } from "./adapters.ts";
import { wrappedHost } from "./wrapped-host.ts";

const MODEL = tinyModel({ tokenizer: true, format: "Q4_0", contextLength: 256, seed: 7 });
const ASK = {
  model: "tiny",
  messages: [{ role: "user" as const, content: "the sea, the sea" }],
  seed: 3,
  max_tokens: 90, // over more than one page
  ignore_eos: true,
  logprobs: true,
  top_logprobs: 3,
};
const CASES = {
  greedy: { temperature: 0 },
  "sampled, of three choices": { temperature: 0.9, top_k: 50, top_p: 0.95, n: 3 },
  "with a bias": { temperature: 1.2, logit_bias: { 70: 3, 80: -2 } },
};

/** An engine that tells of its steps. */
async function open(adapter: TestAdapter, gpuSampling: boolean) {
  const devices: Device[] = [];
  const steps: StepBatch[] = [];
  const watch: { onStep?: () => void } = {};
  const openGpu = gpuHost(await adapter.gpu(), { gpuSampling, onDevice: (device) => devices.push(device) });
  const openHost = wrappedHost(openGpu, (runtime) => ({
    ...runtime,
    step(batch, ...rest) {
      steps.push(batch);
      watch.onStep?.();
      return runtime.step(batch, ...rest);
    },
  }));
  const engine = await openEngine({ id: "tiny", openHost, openModel: modelAtHand({ files: [memorySource(MODEL)] }) });
  const answer = async (how: object) => (await engine.chat.completions.create({ ...ASK, ...how })).choices;
  return { engine, devices, steps, watch, answer };
}

const follows = ({ rows }: StepBatch) => rows.some(({ input }) => "sampledBy" in input);

describeFirstAdapter("steps in flight", (adapter) => {
  test("change no token and no bit, create nothing, and survive the device's loss", async () => {
    const [single, flying] = [await open(adapter, false), await open(adapter, true)];
    for (const [name, how] of Object.entries(CASES)) {
      const expected = await single.answer(how);
      flying.steps.length = 0;
      expect(await flying.answer(how), name).toEqual(expected);
      expect(flying.steps.filter(follows).length, name).toBeGreaterThan(0);
    }
    expect(single.steps.some(follows)).toBe(false);

    const made = ({ buffers, bindGroups, pipelines, layouts }: Counters) => [buffers, bindGroups, pipelines, layouts];
    const { counters } = flying.devices[0]!;
    const before = made(counters);
    const expected = await flying.answer(CASES.greedy);
    expect(made(counters)).toEqual(before);

    let left = 30;
    flying.watch.onStep = () => void (left-- === 0 && flying.devices[0]!.gpu.destroy());
    expect(await flying.answer(CASES.greedy)).toEqual(expected);
    expect(flying.devices.length).toBe(2);
    for (const { engine } of [single, flying]) await engine.dispose();
    for (const { buffers } of flying.devices) expect(buffers.heldBytes).toBe(0);
  });
});
