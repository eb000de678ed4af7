// Steps in flight: whatever happens while tokens are on their way, an answer has those that it would have had without, and ends
// once; nothing is submitted that nobody can want.
import { describe, expect, test } from "vitest";
import { EngineError } from "../../src/base/errors.ts";
import { depthOf } from "../../src/engine/in-flight.ts";
import type { StepBatch } from "../../src/runtime/runtime.ts";
import { BASE, turns } from "./changed-runtime.ts";
import { digits, openScripted, type Script, type ScriptedRuntime, scattered } from "./scripted-runtime.ts";

const FLYING = { logits: scattered, stepsInFlight: 4, latencyMs: 1, prefillRows: 64 } satisfies Script;
const ASK = { ...BASE, n: 2, max_tokens: 40, logprobs: true, top_logprobs: 3 };
type Engine = Awaited<ReturnType<typeof openScripted>>["engine"];

async function answer(engine: Engine, params: object = {}) {
  const { choices, usage } = await engine.chat.completions.create({ ...ASK, ...params });
  return { choices, usage };
}

/** What the answer is when logits are read, token by token. */
async function expectedOf(params: object = {}, logits = scattered) {
  return answer((await openScripted({ logits })).engine, params);
}

const follows = ({ rows }: StepBatch) => rows.some(({ input }) => "sampledBy" in input);
const decodes = (runtime: ScriptedRuntime) => runtime.steps.filter(({ stage }) => stage === "decode").length;

test.each([
  ["until the first latency is known, two", 0, 10, 4, 2],
  ["the runtime is busy with one more", 11, 10, 4, 2],
  ["a result's way takes 1.5 steps", 25, 10, 4, 3],
  ["two were not enough to keep the runtime busy: three", 10, 5, 4, 3],
  ["a result's way takes a hundred steps", 100, 1, 4, 4],
  ["no more than the runtime takes", 100, 1, 3, 3],
  ["a clock too coarse to see a step", 0, 0, 4, 2],
  ["two late steps of 20 ms are waste enough", 100, 20, 4, 3],
  ["one of 49 ms is", 100, 49, 4, 2],
  ["and of 50 ms there is none", 100, 50, 4, 1],
])("how many: %s", (_, latencyMs, stepMs, most, depth) => {
  expect(depthOf(latencyMs, stepMs, most)).toBe(depth);
});

describe("an answer has the tokens, and the bits of their logprobs, that it has step by step", () => {
  test.for(
    [1, 2, 3, 4].flatMap((depth) => [
      { depth, params: { temperature: 0 } },
      { depth, params: { temperature: 1.3, top_k: 60, top_p: 0.9, min_p: 0.01 } },
      { depth, params: { logit_bias: { 40: 3 }, seed: 77, n: 1 } },
    ]),
  )("with $depth steps in flight, $params", async ({ depth, params }) => {
    const { engine, runtime } = await openScripted({ ...FLYING, stepsInFlight: depth });
    expect(await answer(engine, params)).toEqual(await expectedOf(params));
    expect(runtime.mostInFlight).toBeLessThanOrEqual(depth);
    expect(runtime.steps.some(follows)).toBe(depth > 1);
  });

  test("with as many in flight as the results take steps to come", async () => {
    // So long that what a busy machine adds to a step is little beside it.
    const { engine, runtime } = await openScripted({ ...FLYING, latencyMs: 20 });
    const params = { n: 1, max_tokens: 150 };
    expect(await answer(engine, params)).toEqual(await expectedOf(params));
    expect(runtime.mostInFlight).toBe(4);
  });

  test.each([{ frequency_penalty: 0.5 }, { repetition_penalty: 1.1 }, { typical_p: 0.9 }])(
    "one at a time where %o looks back, or is the CPU's",
    async (params) => {
      const { engine, runtime } = await openScripted(FLYING);
      expect(await answer(engine, params)).toEqual(await expectedOf(params));
      expect(runtime.mostInFlight).toBe(1);
    },
  );

  test("beside drafts, which are computed alone", async () => {
    const params = { max_tokens: 120, prediction: { type: "content", content: "0123456789".repeat(3) } };
    const { engine, runtime } = await openScripted({ ...FLYING, logits: digits }, { speculate: "lookup" });
    const [{ choices }, expected] = [await answer(engine, params), await expectedOf(params, digits)];
    expect(choices).toEqual(expected.choices);
    expect(runtime.steps.some(follows)).toBe(true);
    expect(runtime.steps.some(({ rows }) => rows.some(({ want }) => want !== "sample" && want !== "none"))).toBe(true);
  });

  test("when a stop string cuts it, and more choices than lanes begin where it was cut", async () => {
    const params = { n: 7, max_tokens: 200, stop: ["7", "42"], ignore_eos: true };
    const { engine, runtime } = await openScripted({ ...FLYING, logits: digits, maxSequences: 2 });
    const result = await answer(engine, params);
    expect(result).toEqual(await expectedOf(params, digits));
    expect(result.choices.map(({ finish_reason }) => finish_reason)).toContain("stop");
    expect(runtime.steps.some(follows)).toBe(true);
    await turns(2);
    expect(runtime.openCount).toBe(0);
  });

  test("whenever another request comes, whose prompt is next after what is in flight", async () => {
    const first = { n: 1, max_tokens: 60 };
    const second = { n: 1, max_tokens: 30, seed: 9 };
    const expected = [await expectedOf(first), await expectedOf(second)];
    for (const at of [3, 11, 12, 13]) {
      let called: Promise<unknown> | undefined;
      const beforeStep = (step: number) => {
        if (step === at) called = answer(engine, second);
      };
      const { engine, runtime } = await openScripted({ ...FLYING, beforeStep });
      const both = [await answer(engine, first), await called];
      expect(both).toEqual(expected);
      const prompt = runtime.steps.findIndex(({ stage }, index) => stage === "prefill" && index > at);
      expect(prompt - at).toBeLessThanOrEqual(5);
    }
  });

  test("when a reader falls behind, and comes back", async () => {
    const { engine, runtime } = await openScripted(FLYING);
    const params = { ...ASK, n: 1, max_tokens: 150 };
    const expected = (await expectedOf(params)).choices[0]!.logprobs!.content;
    const stream = await engine.chat.completions.create({ ...params, stream: true });
    await new Promise((resolve) => setTimeout(resolve, 300));
    const steps = decodes(runtime);
    expect(steps).toBeLessThan(100); // it waits
    const content = [];
    for await (const { choices } of stream) content.push(...(choices[0]?.logprobs?.content ?? []));
    expect(content).toEqual(expected);
    expect(decodes(runtime)).toBe(149);
  });

  test("when memory runs out before any one of its steps", async () => {
    const params = [
      { n: 1, max_tokens: 20 },
      { n: 2, max_tokens: 15, seed: 9 },
    ]; // prettier-ignore
    const expected = await Promise.all(params.map((each) => expectedOf(each)));
    for (let at = 2; at < 24; at++) {
      const beforeStep = (step: number, { rows }: StepBatch) => {
        if (step === at && rows.length > 1) throw new EngineError("out_of_memory", "no pages left");
      };
      const { engine, runtime } = await openScripted({ ...FLYING, beforeStep });
      expect(await Promise.all(params.map((each) => answer(engine, each))), `${at}`).toEqual(expected);
      await turns(2);
      expect(runtime.openCount).toBe(0);
    }
  });

  test("when the device is lost before any one of its steps", async () => {
    const params = { max_tokens: 16 };
    const expected = await expectedOf(params);
    for (let at = 0; at < 18; at++) {
      const lose = (step: number) => void (step === at && runtimes[0]!.lose());
      const { engine, runtimes } = await openScripted([{ ...FLYING, beforeStep: lose }, FLYING]);
      expect(await answer(engine, params), `${at}`).toEqual(expected);
      await turns(2);
      expect(runtimes.at(-1)!.openCount).toBe(0);
      if (at < 16) expect(runtimes.length).toBe(2);
    }
  });
});

describe("nothing is computed that nobody can want", () => {
  test("beyond the limit of an answer", async () => {
    const { engine, runtime } = await openScripted({ ...FLYING, latencyMs: 3 });
    await answer(engine, { n: 1, max_tokens: 50 });
    expect(runtime.mostInFlight).toBeGreaterThan(1);
    expect(decodes(runtime)).toBe(49); // the first is the prompt's
  });

  test.each([1, 2])("once an abort was seen, with %i answers in flight", async (n) => {
    for (const at of [1, 5, 10, 11, 12]) {
      const controller = new AbortController();
      let seen = 0;
      const { engine, runtime } = await openScripted({
        ...FLYING,
        async beforeStep(step) {
          if (step !== at) return;
          controller.abort();
          seen = runtime.steps.length;
        },
      });
      const call = engine.chat.completions.create({ ...ASK, n }, { signal: controller.signal });
      await expect(call).rejects.toMatchObject({ code: "aborted" });
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(runtime.steps.length).toBe(seen);
      expect(runtime.openCount).toBe(0);
    }
  });
});

describe("a failure is that of the answers that it meets", () => {
  test("a token that cannot be sampled ends its own answer, and not the other", async () => {
    const other = { n: 1, max_tokens: 30, seed: 9 };
    const expected = await expectedOf(other);
    const logits: Script["logits"] = (ids, promptLength) => {
      const row = scattered(ids);
      if (ids.length - promptLength === 12 && ids.includes(BROKEN)) row[0] = Number.NaN;
      return row;
    };
    const { engine } = await openScripted({ ...FLYING, logits });
    const broken = answer(engine, { n: 1, messages: [{ role: "user", content: "~" }] });
    const refused = expect(broken).rejects.toMatchObject({ code: "numeric_fault" });
    expect(await answer(engine, other)).toEqual(expected);
    await refused;
  });

  test("a step that fails ends all of its answers, once, and later ones are as ever", async () => {
    const expected = await expectedOf();
    for (let at = 1; at < 20; at++) {
      const failure = new EngineError("numeric_fault", "broken");
      const beforeStep = (step: number) => {
        if (step === at) throw failure;
      };
      const { engine, runtime } = await openScripted({ ...FLYING, beforeStep });
      await expect(answer(engine)).rejects.toBe(failure);
      expect(await answer(engine)).toEqual(expected);
      await turns(2);
      expect(runtime.openCount).toBe(0);
    }
  });
});

test("a step that fails behind the back of a lane whose reader is behind ends its answer too", async () => {
  const failure = new EngineError("numeric_fault", "broken");
  for (let at = 60; at < 75; at++) {
    const beforeStep = (step: number) => {
      if (step === at) throw failure;
    };
    const { engine } = await openScripted({ ...FLYING, beforeStep });
    const stream = await engine.chat.completions.create({ ...ASK, n: 1, max_tokens: 150, stream: true });
    await new Promise((resolve) => setTimeout(resolve, 150));
    const reading = async () => {
      for await (const _ of stream);
    };
    await expect(reading(), `${at}`).rejects.toBe(failure);
  }
});

const BROKEN = 3 + "~".charCodeAt(0); // the byte tokens follow three control tokens
