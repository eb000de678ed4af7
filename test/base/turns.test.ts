import { expect, test } from "vitest";
import { nextTask } from "../../src/base/event-loop.ts";
import { createTurns } from "../../src/base/turns.ts";

test("turns are taken in the order of asking, each when the one before was left", async () => {
  const turns = createTurns();
  const seen: string[] = [];
  const visit = async (name: string) => {
    const leave = await turns.enter();
    seen.push(`${name} in`);
    await nextTask();
    seen.push(`${name} out`);
    leave();
  };
  await Promise.all([visit("a"), visit("b"), visit("c")]);
  expect(seen).toEqual(["a in", "a out", "b in", "b out", "c in", "c out"]);
});

test("who waits for all to pass waits for those who had asked by then, and for no later one", async () => {
  const turns = createTurns();
  await turns.passed();
  const leave = await turns.enter();
  let passed = false;
  const passing = turns.passed().then(() => {
    passed = true;
  });
  const later = turns.enter();
  await nextTask();
  expect(passed).toBe(false);
  leave();
  await passing;
  (await later)();
});
