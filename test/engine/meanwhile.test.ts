// A long prompt is computed in parts, and who waits for a token gets one in between.
import { expect, test } from "vitest";
import { nextTask } from "../../src/base/event-loop.ts";
import { openScripted, type Script, scattered } from "./scripted-runtime.ts";

const SCRIPT: Script = { logits: scattered, maxSequences: 8, prefillRows: 32, parts: 4 };
const asking = (content: string, more: object = {}) => ({
  model: "tiny",
  messages: [{ role: "user" as const, content }],
  seed: 1,
  ignore_eos: true,
  max_tokens: 30,
  ...more,
});
const LONG = "y".repeat(120);

/** Both requests, the second when the first decodes; and the stages of all steps from then on. */
async function together(first: object, second: object, script: Script = SCRIPT) {
  const { engine, runtime } = await openScripted(script);
  const running = engine.chat.completions.create(asking("running", first));
  while (runtime.steps.filter(({ stage }) => stage === "decode").length < 3) await nextTask();
  const from = runtime.steps.length;
  const prompt = await engine.chat.completions.create(asking(LONG, { max_tokens: 1, ...second }));
  const stages = runtime.steps.slice(from).map(({ stage }) => stage);
  return { stages, choices: [(await running).choices, prompt.choices] };
}

test("between two parts of a prompt a running answer gets one token, and both answers are what they are alone", async () => {
  const { stages, choices } = await together({}, {});
  const segments = stages.filter((stage) => stage === "prefill").length;
  expect(segments).toBeGreaterThan(3);
  const first = stages.indexOf("prefill");
  const last = stages.lastIndexOf("prefill");
  // Three pauses in each segment, and a decode step after it.
  expect(stages.slice(first, last).filter((stage) => stage === "decode").length).toBe(4 * (segments - 1));
  expect(stages.slice(first, first + 5)).toEqual(["prefill", "decode", "decode", "decode", "decode"]);

  const { engine } = await openScripted(SCRIPT);
  for (const [index, request] of [asking("running"), asking(LONG, { max_tokens: 1 })].entries())
    expect((await engine.chat.completions.create(request)).choices).toEqual(choices[index]);
});

test("a prompt of a higher tier is not interrupted", async () => {
  const { stages } = await together({ service_tier: "default" }, { service_tier: "priority" });
  const first = stages.indexOf("prefill");
  const segments = stages.filter((stage) => stage === "prefill").length;
  expect(stages.slice(first, first + segments)).toEqual(Array(segments).fill("prefill"));
});

test("an answer that is aborted between the parts ends, and the prompt is computed to its end", async () => {
  const controller = new AbortController();
  const { engine, runtime } = await openScripted({
    ...SCRIPT,
    beforeStep: (_, { stage }) => {
      if (stage === "decode" && runtime.steps.some(({ stage }, index) => stage === "prefill" && index > 3))
        controller.abort();
    },
  });
  const running = engine.chat.completions.create(asking("running"), { signal: controller.signal });
  while (runtime.steps.filter(({ stage }) => stage === "decode").length < 3) await nextTask();
  const prompt = engine.chat.completions.create(asking(LONG, { max_tokens: 1 }));
  await expect(running).rejects.toMatchObject({ code: "aborted" });
  expect((await prompt).choices[0]?.finish_reason).toBe("length");
  expect(runtime.openCount).toBe(0);
});

test("a prompt's first segment is as long as is known to be right for most GPUs, not as long as the runtime takes", async () => {
  const { engine, runtime } = await openScripted({ ...SCRIPT, prefillRows: 512, contextLength: 1024 });
  await engine.chat.completions.create(asking("y".repeat(600), { max_tokens: 1 }));
  const segments = runtime.steps.filter(({ stage }) => stage === "prefill").map(({ rows }) => rows[0]!.input);
  expect(segments.length).toBeGreaterThan(1);
  expect(segments[0]).toMatchObject({ ids: { length: 256 } });
});
