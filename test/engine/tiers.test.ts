// Service tiers: who goes before whom, and what a response says of it.
import { expect, test } from "vitest";
import type { ChatCompletionCreateParamsBase } from "../../src/api/types.ts";
import { openScripted, type Script, scattered } from "./scripted-runtime.ts";

type Tier = NonNullable<ChatCompletionCreateParamsBase["service_tier"]>;
const SCRIPT: Script = { logits: scattered, maxSequences: 8, prefillRows: 16 };
const asking = (tier: Tier, content: string, max_tokens = 10) => ({
  model: "tiny",
  messages: [{ role: "user" as const, content }],
  seed: 1,
  ignore_eos: true,
  max_tokens,
  service_tier: tier,
});

test.each<[Tier, string]>([
  ["auto", "default"],
  ["default", "default"],
  ["scale", "default"],
  ["flex", "flex"],
  ["priority", "priority"],
  ["fast", "priority"],
])("%s is served, and reported, as %s", async (asked, served) => {
  const { engine } = await openScripted(SCRIPT);
  expect((await engine.chat.completions.create(asking(asked, "Hi"))).service_tier).toBe(served);
});

test("of three streams at once flex has no step while another runs, and goes on where it stopped, with the same text", async () => {
  const alone = await openScripted(SCRIPT);
  const expected = await alone.engine.chat.completions.create(asking("flex", "slow", 40));
  const { engine, runtime } = await openScripted(SCRIPT);
  const flex = engine.chat.completions.create(asking("flex", "slow", 40));
  while (runtime.steps.length < 8) await new Promise((resolve) => setTimeout(resolve));
  const before = runtime.steps.length;
  let others = 2;
  const stepsWithFlex = () =>
    runtime.steps.slice(before).filter(({ rows }) => rows.some(({ sequence }) => Number(sequence) === 0));
  const during = ["default", "priority"].map(async (tier) => {
    await engine.chat.completions.create(asking(tier as Tier, tier, 12));
    if (--others === 0) expect(stepsWithFlex().length).toBeLessThanOrEqual(1); // the one that was under way
  });
  await Promise.all(during);
  expect((await flex).choices).toEqual(expected.choices);
});

test("a prompt of a higher tier is computed before one that came earlier, and before the decoding of lower tiers", async () => {
  const { engine, runtime } = await openScripted(SCRIPT);
  const ended: string[] = [];
  const ask = async (tier: Tier, content: string, max_tokens: number) => {
    await engine.chat.completions.create(asking(tier, content, max_tokens));
    ended.push(content);
  };
  const running = ask("default", "running", 60);
  while (runtime.steps.length < 5) await new Promise((resolve) => setTimeout(resolve));
  const from = runtime.steps.length;
  await Promise.all([ask("default", "x".repeat(100), 1), ask("priority", "y".repeat(100), 1)]);
  await running;
  const stages = runtime.steps.slice(from).map(({ stage, rows }) => `${stage}${rows[0]!.sequence}`);
  const first = stages.indexOf("prefill2");
  const segments = stages.filter((name) => name === "prefill2").length;
  expect(segments).toBeGreaterThan(3);
  expect(stages.slice(first, first + segments)).toEqual(Array(segments).fill("prefill2")); // nothing in between
  expect(ended.indexOf("y".repeat(100))).toBeLessThan(ended.indexOf("x".repeat(100)));
});
