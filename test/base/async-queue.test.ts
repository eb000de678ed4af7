import { expect, test } from "vitest";
import { AsyncQueue } from "../../src/base/async-queue.ts";

async function collect<T>(queue: AsyncQueue<T>): Promise<T[]> {
  const values: T[] = [];
  for await (const value of queue) values.push(value);
  return values;
}

test("values come out in order, those that wait before the close included", async () => {
  const queue = new AsyncQueue<number>(4);
  queue.push(1);
  queue.push(2);
  queue.close();
  expect(await collect(queue)).toEqual([1, 2]);
});

test("a consumer that waits gets the value without it being buffered", async () => {
  const queue = new AsyncQueue<string>(1);
  const first = queue.next();
  expect(queue.push("a")).toBeUndefined();
  expect(queue.size).toBe(0);
  expect(await first).toEqual({ done: false, value: "a" });
});

test("a full queue makes the producer wait until there is room", async () => {
  const queue = new AsyncQueue<number>(2);
  expect(queue.push(1)).toBeUndefined();
  let woken = false;
  const room = queue.push(2)?.then(() => {
    woken = true;
  });
  await Promise.resolve();
  expect(woken).toBe(false);
  await queue.next();
  await room;
  expect(woken).toBe(true);
});

test("pushing into a full queue is a bug", () => {
  const queue = new AsyncQueue<number>(1);
  void queue.push(1);
  expect(() => queue.push(2)).toThrow(/full queue of 1/);
});

test("a failure comes after the values before it, once, and then the iteration is over", async () => {
  const queue = new AsyncQueue<number>(4);
  queue.push(1);
  queue.fail(new Error("broken"));
  queue.fail(new Error("later"));
  expect(await queue.next()).toEqual({ done: false, value: 1 });
  await expect(queue.next()).rejects.toThrow("broken");
  expect(await queue.next()).toEqual({ done: true, value: undefined });
});

test("of several consumers that wait, the first gets the failure", async () => {
  const queue = new AsyncQueue<number>(1);
  const ends = Promise.allSettled([queue.next(), queue.next()]);
  queue.fail(new Error("broken"));
  expect((await ends).map(({ status }) => status)).toEqual(["rejected", "fulfilled"]);
});

test("return drops what waits, tells the producer once, and waits for its clean-up", async () => {
  const log: string[] = [];
  const queue = new AsyncQueue<number>(1, async () => {
    await Promise.resolve();
    log.push("cleaned up");
  });
  const room = queue.push(1);
  await queue.return();
  await queue.return();
  await room;
  expect(log).toEqual(["cleaned up"]);
  expect(queue.push(2)).toBeUndefined();
  expect(await queue.next()).toEqual({ done: true, value: undefined });
});

test("return after the end has nobody to tell", async () => {
  let told = 0;
  const queue = new AsyncQueue<number>(1, () => {
    told++;
  });
  queue.close();
  await queue.return();
  expect(told).toBe(0);
});
