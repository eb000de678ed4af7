import { expect, test } from "vitest";
import { createTurnstile } from "../../src/engine/turnstile.ts";

const never = () => new AbortController().signal;

test("those who fit enter at once, the others in order, and a large one is not overtaken", async () => {
  const turnstile = createTurnstile(4);
  const entered: string[] = [];
  const enter = (name: string, count: number, signal = never()) =>
    turnstile.enter(count, "default", signal).then(() => entered.push(name));
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
  await turnstile.enter(1, "default", never());
  const controller = new AbortController();
  const large = turnstile.enter(2, "default", controller.signal);
  const small = turnstile.enter(1, "default", never());
  controller.abort();
  await expect(large).rejects.toMatchObject({ code: "aborted" });
  await small;
});

test("a signal that has fired takes no place; closing refuses all who wait", async () => {
  const turnstile = createTurnstile(1);
  await expect(turnstile.enter(1, "default", AbortSignal.abort())).rejects.toMatchObject({ code: "aborted" });
  await turnstile.enter(1, "default", never());
  const waiting = [turnstile.enter(1, "default", never()), turnstile.enter(1, "default", never())];
  turnstile.close(new Error("over"));
  for (const end of await Promise.allSettled(waiting)) expect(end).toMatchObject({ reason: { message: "over" } });
});

test("a higher tier goes before those who came earlier, and arrival decides within a tier", async () => {
  const turnstile = createTurnstile(1);
  await turnstile.enter(1, "default", never());
  const entered: string[] = [];
  for (const [name, tier] of [
    ["a", "flex"],
    ["b", "default"],
    ["c", "priority"],
    ["d", "default"],
  ] as const)
    void turnstile.enter(1, tier, never()).then(() => entered.push(name));
  for (let left = 0; left < 4; left++) {
    turnstile.leave(1);
    await Promise.resolve();
  }
  expect(entered).toEqual(["c", "b", "d", "a"]);
});

test("a line of 64 takes no more of its tier: 429 with the number, and a place again when one has left", async () => {
  const turnstile = createTurnstile(1);
  await turnstile.enter(1, "default", never());
  const controller = new AbortController();
  const waiting = [turnstile.enter(1, "default", controller.signal)];
  for (let place = 1; place < 64; place++) waiting.push(turnstile.enter(1, "default", never()));
  const refused = turnstile.enter(1, "default", never());
  await expect(refused).rejects.toMatchObject({
    code: "rate_limit_exceeded",
    status: 429,
    message: expect.stringContaining("64 requests"),
  });
  const other = turnstile.enter(1, "priority", never());
  controller.abort();
  await expect(waiting[0]).rejects.toMatchObject({ code: "aborted" });
  const last = turnstile.enter(1, "default", never());
  for (let left = 0; left < 65; left++) turnstile.leave(1);
  await Promise.all([other, last, ...waiting.slice(1)]);
});
