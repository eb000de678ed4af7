import { expect, test } from "vitest";
import { allEnded } from "../../src/base/all-ended.ts";
import { nextTask } from "../../src/base/event-loop.ts";

test("a failure is told when the rest has ended too", async () => {
  let ended = false;
  const slow = async () => {
    for (let turn = 0; turn < 3; turn++) await nextTask();
    ended = true;
  };
  await expect(allEnded([Promise.reject(new Error("first")), slow()])).rejects.toThrow("first");
  expect(ended).toBe(true);
});

test("values come in order", async () => {
  expect(await allEnded([nextTask().then(() => 1), Promise.resolve(2)])).toEqual([1, 2]);
  expect(await allEnded([])).toEqual([]);
});
