// The session's tuner: what it measures, what it takes from the store, and what it keeps to.
import { afterEach, expect, test, vi } from "vitest";
import type { AdapterFacts } from "../../../src/gpu/device.ts";
import { Q4_1 } from "../../../src/quant/q4_1.ts";
import { createTuner, type TunerOptions } from "../../../src/runtime/tuning/tuner.ts";
import { candidatesOf, type KernelClass } from "../../../src/runtime/tuning/variants.ts";
import type { TuningStore } from "../../../src/storage/tuning-store.ts";
import { fakeClock, fakeTask } from "./fake-trials.ts";

const GPU: AdapterFacts = {
  vendor: "acme",
  architecture: "road-runner",
  device: "0x1",
  description: "",
  isFallback: false,
  subgroupSize: 32,
  shaderF16: true,
  packedDot: true,
  readableTextures: true,
};
const CLASS = { family: "mat-vec", format: Q4_1 } as const;
const [SEED, FAST, OTHER] = ["8 x 16 for 16", "8 x 4", "32 x 4"] as const;

afterEach(() => {
  vi.useRealTimers();
});

function memoryStore(kept: Record<string, unknown> = {}): TuningStore & { kept: Record<string, unknown> } {
  return {
    kept,
    read: async (key) => kept[key],
    async write(key, value) {
      kept[key] = value;
    },
  };
}

/** A tuner, and models of mat-vec classes for which FAST is the fastest; `timed` are the classes that were measured. */
function bench(options: Partial<TunerOptions> = {}) {
  const clock = fakeClock();
  const timed: string[] = [];
  const onMeasured = (name: string) => timed.push(name);
  const tuner = createTuner({ platform: "test/1", now: clock.now, onMeasured, ...options });
  const choose = (names: readonly string[], { key = "key", adapter = GPU } = {}) => {
    const classes = names.map((name) => ({ name, ...CLASS }) as KernelClass);
    const table = { [SEED]: { runMs: 8 }, [FAST]: { runMs: 4 }, [OTHER]: { runMs: 6 } };
    const taskOf = ({ name }: KernelClass) => fakeTask(clock, name, table).task;
    return tuner.choose({ adapter, key: async () => key, classes, taskOf, ready: Promise.resolve() });
  };
  return { choose, timed, clock };
}

test("the names used here are variants of such an adapter, the seed first", () => {
  expect(candidatesOf(CLASS, GPU)).toEqual(expect.arrayContaining([SEED, FAST, OTHER]));
  expect(candidatesOf(CLASS, GPU)[0]).toBe(SEED);
});

test("what was measured is kept for the session and for the next one", async () => {
  const store = memoryStore();
  const first = bench({ store });
  expect(await first.choose(["a", "b"])).toEqual({ a: FAST, b: FAST });
  expect(await first.choose(["b", "c"])).toEqual({ a: FAST, b: FAST, c: FAST });
  expect(first.timed).toEqual(["a", "b", "c"]);
  expect(store.kept).toEqual({ key: { version: 1, choices: { a: FAST, b: FAST, c: FAST } } });

  const second = bench({ store });
  expect(await second.choose(["a", "c"])).toEqual({ a: FAST, c: FAST });
  expect(second.timed).toEqual([]);
  expect(second.clock.now()).toBe(0);
});

test("under another key it is measured anew, and the old one stays", async () => {
  const store = memoryStore({ old: { version: 1, choices: { a: OTHER } } });
  const { choose, timed } = bench({ store });
  expect(await choose(["a"], { key: "new" })).toEqual({ a: FAST });
  expect(await choose(["a"], { key: "old" })).toEqual({ a: OTHER });
  expect(timed).toEqual(["a"]);
});

test("a choice of this session outlives a change of the store, and a class that the budget missed keeps its seed", async () => {
  const store = memoryStore();
  const { choose, timed } = bench({ store, timingMs: 80, warmUpMs: 0 });
  expect(await choose(["a", "b"])).toEqual({ a: FAST, b: SEED });
  expect(store.kept).toEqual({ key: { version: 1, choices: { a: FAST } } });
  store.kept["key"] = { version: 1, choices: { a: OTHER, b: OTHER } };
  expect(await choose(["a", "b"])).toEqual({ a: FAST, b: SEED });
  expect(timed).toEqual(["a"]);
  const later = bench({ store: memoryStore({ key: { version: 1, choices: { a: FAST } } }), timingMs: 80, warmUpMs: 0 });
  expect(await later.choose(["a", "b"])).toEqual({ a: FAST, b: FAST });
});

test.each<[string, unknown]>([
  ["nothing", undefined],
  ["another version", { version: 2, choices: { a: OTHER } }],
  ["no choices", { version: 1 }],
  ["choices that are no names", { version: 1, choices: { a: 3 } }],
  ["a variant that is no more", { version: 1, choices: { a: "3 x 7" } }],
  ["a text", "a: 8 x 4"],
])("%s in the store is a miss", async (_, value) => {
  const { choose, timed } = bench({ store: memoryStore({ key: value }) });
  expect(await choose(["a"])).toEqual({ a: FAST });
  expect(timed).toEqual(["a"]);
});

test("a store that rejects is a miss, and so is one that never answers", async () => {
  vi.useFakeTimers();
  const fails = async () => {
    throw new Error("the disk is full");
  };
  const hangs = () => new Promise<never>(() => {});
  for (const store of [
    { read: fails, write: fails },
    { read: hangs, write: hangs },
  ]) {
    const { choose } = bench({ store });
    const chosen = choose(["a"]);
    await vi.runAllTimersAsync();
    expect(await chosen).toEqual({ a: FAST });
  }
});

test("a CPU adapter takes its seeds without timing, and without looking into the store, unless told otherwise", async () => {
  const adapter = { ...GPU, isFallback: true };
  const store = memoryStore({ key: { version: 1, choices: { a: OTHER } } });
  const usual = bench({ store });
  expect(await usual.choose(["a"], { adapter })).toEqual({});
  expect(usual.timed).toEqual([]);
  const forced = bench({ adapters: "all" });
  expect(await forced.choose(["a"], { adapter })).toEqual({ a: FAST });
});

test("models that load at once are measured one after the other", async () => {
  const { choose, timed } = bench();
  const [first, second] = await Promise.all([choose(["a", "b"]), choose(["b", "c"])]);
  expect(first).toEqual({ a: FAST, b: FAST });
  expect(second).toEqual({ a: FAST, b: FAST, c: FAST });
  expect(timed).toEqual(["a", "b", "c"]);
});
