import { expect, test } from "vitest";
import { createTurnstile } from "../../src/engine/turnstile.ts";

const NEVER = new AbortController().signal;

test("those who fit enter at once, the others in order, and a large one is not overtaken", async () => {
  const turnstile = createTurnstile(4);
  const entered: string[] = [];
  const enter = (name: string, count: number, signal = NEVER) =>
    turnstile.enter(count, signal).then(() => entered.push(name));
  void enter("a", 3);
  void enter("b", 2);
  void enter("c", 1);
  await Promise.resolve();
  expect(entered).toEqual(["a"]);
  turnstile.leave(1);
  await Promise.resolve();
  expect(entered).toEqual(["a", "b"]);
  turnstile.leave(2);
  await Promise.resolve();
  expect(entered).toEqual(["a", "b", "c"]);
});

test("who leaves the line lets those behind in", async () => {
  const turnstile = createTurnstile(2);
  await turnstile.enter(1, NEVER);
  const controller = new AbortController();
  const large = turnstile.enter(2, controller.signal);
  const small = turnstile.enter(1, NEVER);
  controller.abort();
  await expect(large).rejects.toMatchObject({ code: "aborted" });
  await small;
});

test("a signal that has fired takes no place; closing refuses all who wait", async () => {
  const turnstile = createTurnstile(1);
  await expect(turnstile.enter(1, AbortSignal.abort())).rejects.toMatchObject({ code: "aborted" });
  await turnstile.enter(1, NEVER);
  const waiting = [turnstile.enter(1, NEVER), turnstile.enter(1, NEVER)];
  turnstile.close(new Error("over"));
  for (const end of await Promise.allSettled(waiting)) expect(end).toMatchObject({ reason: { message: "over" } });
});
