// The session's tuner: what it measures, what it takes from the store, and what it keeps to.
import { afterEach, expect, test, vi } from "vitest";
import { EngineError } from "../../../src/base/errors.ts";
import type { AdapterFacts } from "../../../src/gpu/device.ts";
import { Q4_1 } from "../../../src/quant/q4_1.ts";
import { createTuner, type TunerOptions, type TuningTools } from "../../../src/runtime/tuning/tuner.ts";
import { candidatesOf, type KernelClass } from "../../../src/runtime/tuning/variants.ts";
import { memoryTuningStore } from "../../fixtures/memory-tuning-store.ts";
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
const CLASS = { family: "mat-vec", format: Q4_1, rows: 96 } as const;
const [SEED, FAST, OTHER] = ["8 x 32 for 8", "8 x 4", "32 x 4"] as const;

afterEach(() => {
  vi.useRealTimers();
});

function kept(choices: object, losses = 0) {
  return { version: 1, choices, losses };
}

/** A tuner, and models of mat-vec classes for which FAST is the fastest; `timed` are the classes that were measured. */
function bench(options: Partial<TunerOptions> = {}) {
  const clock = fakeClock();
  const timed: string[] = [];
  const onMeasured = (name: string) => void timed.push(name);
  const tuner = createTuner({ platform: "test/1", now: clock.now, onMeasured, ...options });
  const subject = (names: readonly string[], { key = "key", adapter = GPU } = {}) => {
    return { adapter, key: async () => key, classes: names.map((name) => ({ name, ...CLASS }) as KernelClass) };
  };
  const table = { [SEED]: { runMs: 8 }, [FAST]: { runMs: 4 }, [OTHER]: { runMs: 6 } };
  const taskOf = ({ name }: KernelClass) => fakeTask(clock, name, table).task;
  const choose = (...model: Parameters<typeof subject>) => tuner.choose(subject(...model));
  const measure = (...model: Parameters<typeof subject>) => measureWhen((work) => work(), ...model);
  const measureWhen = (alone: TuningTools["alone"], ...model: Parameters<typeof subject>) =>
    tuner.measure(subject(...model), { taskOf, alone });
  return { choose, measure, measureWhen, timed, clock };
}

test("the names used here are variants of such an adapter, the seed first", () => {
  expect(candidatesOf(CLASS, GPU)).toEqual(expect.arrayContaining([SEED, FAST, OTHER]));
  expect(candidatesOf(CLASS, GPU)[0]).toBe(SEED);
});

test("a session has what is kept, or else seeds; what it measures is for the next one", async () => {
  const store = memoryTuningStore();
  const first = bench({ store });
  expect(await first.choose(["a", "b"])).toEqual({ a: SEED, b: SEED });
  await first.measure(["a", "b"]);
  expect(store.held).toEqual({ key: kept({ a: FAST, b: FAST }) });
  expect(await first.choose(["a", "b"])).toEqual({ a: SEED, b: SEED });

  const second = bench({ store });
  expect(await second.choose(["a", "c"])).toEqual({ a: FAST, c: SEED });
  await second.measure(["a", "c"]);
  expect(second.timed).toEqual(["c"]);
  expect(store.held).toEqual({ key: kept({ a: FAST, b: FAST, c: FAST }) });

  const third = bench({ store });
  expect(await third.choose(["a", "b", "c"])).toEqual({ a: FAST, b: FAST, c: FAST });
  await third.measure(["a", "b", "c"]);
  expect([third.timed, third.clock.now()]).toEqual([[], 0]);
});

test("of a model that comes later, only what no other has is not chosen yet", async () => {
  const store = memoryTuningStore();
  const { choose, measure } = bench({ store });
  expect(await choose(["a"])).toEqual({ a: SEED });
  await measure(["a", "b"]);
  expect(await choose(["a", "b"])).toEqual({ a: SEED, b: FAST });
});

test("under another key it is measured anew, and the old one stays", async () => {
  const store = memoryTuningStore({ old: kept({ a: OTHER }) });
  const { choose, measure, timed } = bench({ store });
  await measure(["a"], { key: "new" });
  expect(await choose(["a"], { key: "new" })).toEqual({ a: FAST });
  expect(await choose(["a"], { key: "old" })).toEqual({ a: OTHER });
  await measure(["a"], { key: "old" });
  expect(timed).toEqual(["a"]);
});

test("a choice of this session outlives a change of the store", async () => {
  const store = memoryTuningStore({ key: kept({ a: FAST }) });
  const { choose } = bench({ store });
  expect(await choose(["a"])).toEqual({ a: FAST });
  store.held["key"] = kept({ a: OTHER });
  expect(await choose(["a"])).toEqual({ a: FAST });
});

test("what is measured is kept class by class, and what the budget missed is measured in the next session", async () => {
  const store = memoryTuningStore();
  const budget = { timingMs: 80, warmUpMs: 0 };
  const first = bench({ store, ...budget });
  await first.measure(["a", "b"]);
  expect(first.timed).toEqual(["a"]);
  expect(store.held).toEqual({ key: kept({ a: FAST }) });
  const second = bench({ store, ...budget });
  await second.measure(["a", "b"]);
  expect(second.timed).toEqual(["b"]);
});

test.each<[string, unknown]>([
  ["nothing", undefined],
  ["another version", { ...kept({ a: OTHER }), version: 2 }],
  ["no choices", { version: 1, losses: 0 }],
  ["no count", { version: 1, choices: { a: OTHER } }],
  ["choices that are no names", kept({ a: 3 })],
  ["a variant that is no more", kept({ a: "3 x 7" })],
  ["a text", "a: 8 x 4"],
])("%s in the store is a miss", async (_, value) => {
  const { choose, measure, timed } = bench({ store: memoryTuningStore({ key: value }) });
  expect(await choose(["a"])).toEqual({ a: SEED });
  await measure(["a"]);
  expect(timed).toEqual(["a"]);
});

test("a store that rejects is a miss, and so is one that never answers; without one nothing is measured", async () => {
  vi.useFakeTimers();
  const fails = async () => {
    throw new Error("the disk is full");
  };
  const hangs = () => new Promise<never>(() => {});
  for (const store of [{ read: fails, write: fails }, { read: hangs, write: hangs }, undefined]) {
    const { choose, measure, timed } = bench({ store });
    const both = Promise.all([choose(["a"]), measure(["a"])]);
    await vi.runAllTimersAsync();
    expect((await both)[0]).toEqual({ a: SEED });
    expect(timed).toEqual(store ? ["a"] : []);
  }
});

test("a CPU adapter takes its seeds without timing, and without looking into the store, unless told otherwise", async () => {
  const adapter = { ...GPU, isFallback: true };
  const store = memoryTuningStore({ key: kept({ a: OTHER }) });
  const usual = bench({ store });
  expect(await usual.choose(["a"], { adapter })).toEqual({});
  await usual.measure(["b"], { adapter });
  expect(usual.timed).toEqual([]);
  const forced = bench({ store: memoryTuningStore(), adapters: "all" });
  await forced.measure(["a"], { adapter });
  expect(forced.timed).toEqual(["a"]);
});

test("models that are loaded at once are measured one after the other, and a failure of one is not the other's", async () => {
  const { measure, timed } = bench({ store: memoryTuningStore() });
  await Promise.all([measure(["a", "b"]), measure(["b", "c"])]);
  expect(timed).toEqual(["a", "b", "c"]);
  const fault = new EngineError("device_lost", "It is gone.");
  const other = bench({ store: memoryTuningStore() });
  const lost = other.measureWhen(() => Promise.reject(fault), ["d"]);
  const next = other.measure(["d"]);
  await expect(lost).rejects.toBe(fault);
  await next;
  expect(other.timed).toEqual(["d"]);
});

test("what has cost the device three times is not tried again; other ends count for nothing", async () => {
  const store = memoryTuningStore();
  const end = (code: "device_lost" | "aborted") => new EngineError(code, "It is gone.");
  for (const losses of [1, 2, 3]) {
    for (const fault of [end("aborted"), end("device_lost")])
      await expect(bench({ store }).measureWhen(() => Promise.reject(fault), ["a"])).rejects.toBe(fault);
    expect(store.held).toEqual({ key: kept({}, losses) });
  }
  const next = bench({ store });
  await next.measure(["a"]);
  expect(next.timed).toEqual([]);
  expect(await next.choose(["a"])).toEqual({ a: SEED });
});

test("what another page has kept meanwhile stays", async () => {
  const store = memoryTuningStore();
  const { measureWhen } = bench({ store });
  await measureWhen(
    (work) => {
      store.held["key"] = kept({ ...(store.held["key"] as ReturnType<typeof kept>)?.choices, other: OTHER }, 1);
      return work();
    },
    ["a"],
  );
  expect(store.held).toEqual({ key: kept({ other: OTHER, a: FAST }, 1) });
});
