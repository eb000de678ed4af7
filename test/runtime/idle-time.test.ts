// Idle time: work that can wait has it when nothing was asked for a while, alone, and not after the end.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createTurns } from "../../src/base/turns.ts";
import type { Device } from "../../src/gpu/device.ts";
import { createIdleTime, IDLE_MS, idleTimeOf } from "../../src/runtime/idle-time.ts";

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

function open() {
  const turns = createTurns();
  const end = new AbortController();
  const done: string[] = [];
  const { busy, run } = createIdleTime();
  const idle = { busy, run: (work: () => Promise<void>) => run(turns, work, end.signal) };
  const work = (name: string) => idle.run(async () => void done.push(name));
  const after = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
  return { turns, end, idle, done, work, after };
}

test("work waits until nothing was asked for IDLE_MS, and the next is done at once", async () => {
  const { done, work } = open();
  const first = work("first");
  await vi.advanceTimersByTimeAsync(IDLE_MS - 1);
  expect(done).toEqual([]);
  await vi.advanceTimersByTimeAsync(2);
  await first;
  await work("second");
  expect(done).toEqual(["first", "second"]);
});

test("while something is asked for, and for IDLE_MS after it, nothing is done", async () => {
  const { done, work, idle, after } = open();
  await vi.advanceTimersByTimeAsync(IDLE_MS);
  const asked = idle.busy(() => after(10_000));
  const waiting = work("work");
  await vi.advanceTimersByTimeAsync(10_000);
  await asked;
  await vi.advanceTimersByTimeAsync(IDLE_MS - 1);
  expect(done).toEqual([]);
  await vi.advanceTimersByTimeAsync(IDLE_MS);
  await waiting;
  expect(done).toEqual(["work"]);
});

test("two that overlap are both waited for, and one that fails is over too", async () => {
  const { done, work, idle, after } = open();
  const long = idle.busy(() => after(3000));
  const failed = idle.busy(() => Promise.reject(new Error("no memory")));
  await expect(failed).rejects.toThrow("no memory");
  const waiting = work("work");
  await vi.advanceTimersByTimeAsync(2999);
  expect(done).toEqual([]);
  await vi.advanceTimersByTimeAsync(1 + IDLE_MS);
  await Promise.all([long, waiting]);
  expect(done).toEqual(["work"]);
});

test("it has a turn of its own: who asks meanwhile enters after it", async () => {
  const { turns, idle, done, after } = open();
  await vi.advanceTimersByTimeAsync(IDLE_MS);
  const working = idle.run(async () => {
    await after(20);
    done.push("work");
  });
  await vi.advanceTimersByTimeAsync(1);
  const asking = idle.busy(async () => {
    const leave = await turns.enter();
    done.push("step");
    leave();
  });
  await vi.advanceTimersByTimeAsync(20);
  await Promise.all([working, asking]);
  expect(done).toEqual(["work", "step"]);
});

test("who asked while it waited for its turn goes first", async () => {
  const { turns, idle, done, work, after } = open();
  await vi.advanceTimersByTimeAsync(IDLE_MS);
  const leave = await turns.enter();
  const waiting = work("work");
  const asking = idle.busy(() => after(5));
  leave();
  await vi.advanceTimersByTimeAsync(5);
  await asking;
  expect(done).toEqual([]);
  await vi.advanceTimersByTimeAsync(IDLE_MS);
  await waiting;
  expect(done).toEqual(["work"]);
});

test.each(["before", "while waiting", "while waiting for a turn"])(
  "an end %s rejects, and nothing is done",
  async (when) => {
    const { turns, end, done, work } = open();
    if (when === "before") end.abort();
    const leave = await turns.enter();
    const waiting = work("work");
    const rejected = expect(waiting).rejects.toMatchObject({ code: "aborted" });
    if (when === "while waiting for a turn") await vi.advanceTimersByTimeAsync(IDLE_MS);
    end.abort();
    leave();
    await rejected;
    expect(done).toEqual([]);
    // The turn was left.
    (await turns.enter())();
  },
);

test("an end leaves no timer behind", async () => {
  const { end, work } = open();
  const rejected = expect(work("work")).rejects.toMatchObject({ code: "aborted" });
  end.abort();
  await rejected;
  expect(vi.getTimerCount()).toBe(0);
});

test("runtimes of one device share its time, and those of another do not", () => {
  const [first, second] = [{} as Device, {} as Device];
  expect(idleTimeOf(first)).toBe(idleTimeOf(first));
  expect(idleTimeOf(first)).not.toBe(idleTimeOf(second));
});
