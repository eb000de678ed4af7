// Measuring: the fastest variant that computes what the seed computes wins, within the budget, without a long pass.
import { expect, test } from "vitest";
import { EngineError } from "../../../src/base/errors.ts";
import { type TuneOptions, type TuningTask, tune } from "../../../src/runtime/tuning/tune.ts";
import { bestOf, type FakeVariant, fakeClock, fakeTask, optionsOf } from "./fake-trials.ts";

const WRONG = Float32Array.of(1, -2, 3, 0.501);

test.each<[string, Record<string, FakeVariant>, string]>([
  ["the fastest wins", { seed: { runMs: 1 }, a: { runMs: 0.7 }, b: { runMs: 0.5 }, c: { runMs: 0.6 } }, "b"],
  ["the seed stays when it is the fastest", { seed: { runMs: 1 }, a: { runMs: 1.2 }, b: { runMs: 30 } }, "seed"],
  ["what is hardly faster is not worth other bits", { seed: { runMs: 1 }, a: { runMs: 0.98 } }, "seed"],
  ["4 % are", { seed: { runMs: 1 }, a: { runMs: 0.96 } }, "a"],
  ["a wrong one never wins", { seed: { runMs: 1 }, a: { runMs: 0.1, output: WRONG }, b: { runMs: 0.9 } }, "b"],
  [
    "nor does one that gives NaN, or too little",
    {
      seed: { runMs: 1 },
      a: { runMs: 0.1, output: Float32Array.of(Number.NaN, -2, 3, 0.5) },
      b: { runMs: 0.1, output: Float32Array.of(1, -2, 3) },
    },
    "seed",
  ],
  [
    "sums in another order are not wrong",
    { seed: { runMs: 1 }, a: { runMs: 0.5, output: Float32Array.of(1, -2, 3.000001, 0.5) } },
    "a",
  ],
  [
    "numbers of fewer bits may differ by more, as far as their variant says",
    {
      seed: { runMs: 1 },
      a: { runMs: 0.5, output: WRONG, maxDifference: 1e-8 },
      b: { runMs: 0.6, output: WRONG, maxDifference: 1e-7 },
    },
    "b",
  ],
  [
    "what does not compile is left out",
    { seed: { runMs: 1 }, a: { runMs: 0.1, fault: new Error("no such instruction") }, b: { runMs: 0.5 } },
    "b",
  ],
])("%s", async (_, variants, winner) => {
  const clock = fakeClock();
  const { task, counts } = fakeTask(clock, "class", variants);
  expect(await bestOf([task], optionsOf(clock))).toEqual({ class: winner });
  expect(counts.open).toBe(0);
});

test("a pass is repeated until it takes 5 ms, and none takes longer than 30 ms however slow a variant is", async () => {
  const clock = fakeClock();
  const { task, runs } = fakeTask(clock, "class", {
    seed: { runMs: 0.01 },
    slow: { runMs: 0.0125 },
    terrible: { runMs: 0.15 },
  });
  const measured: Record<string, number>[] = [];
  await tune([task], { ...optionsOf(clock), onMeasured: (_, __, runMs) => void measured.push({ ...runMs }) });
  expect(runs.filter(({ variant }) => variant === "seed").map(({ repeats }) => repeats)).toEqual([
    ...[1, 2, 4, 8, 16, 32, 64, 128, 256, 512],
    ...[500, 500, 500],
  ]);
  // After one round it is known to be slower by more than a fifth; the other is known from a quarter of the runs.
  expect(runs.filter(({ variant }) => variant === "slow").map(({ repeats }) => repeats)).toEqual([125, 500]);
  expect(runs.filter(({ variant }) => variant === "terrible").map(({ repeats }) => repeats)).toEqual([125]);
  const passMs = { seed: 0.01, slow: 0.0125, terrible: 0.15 } as Record<string, number>;
  for (const { variant, repeats } of runs) expect(passMs[variant]! * repeats).toBeLessThan(30);
  expect(measured).toEqual([{ seed: expect.closeTo(0.01, 9) }]);
});

test("before anything counts the first seed runs for a while, in passes that are no longer than others", async () => {
  const clock = fakeClock();
  const tasks = ["first", "second"].map((name) => fakeTask(clock, name, { seed: { runMs: 1 }, a: { runMs: 0.5 } }));
  const all = tasks.map(({ task }) => task);
  expect(await bestOf(all, { ...optionsOf(clock), warmUpMs: 300 })).toEqual({ first: "a", second: "a" });
  const [first, second] = tasks.map(({ runs }) =>
    runs.filter(({ variant }) => variant === "seed").map(({ repeats }) => repeats),
  );
  expect(first!.slice(0, 40)).toEqual([1, 2, 4, ...Array.from({ length: 37 }, () => 8)]);
  expect(second).toEqual([1, 2, 4, 8, 5, 5, 5]);
});

/** Of the passes of a variant, the first that are no rounds being probes, some take longer than they should. */
function disturb(
  { task }: ReturnType<typeof fakeTask>,
  clock: ReturnType<typeof fakeClock>,
  disturbed: (variant: string, pass: number) => boolean,
) {
  return {
    ...task,
    async prepare(variant: string) {
      const trial = await task.prepare(variant);
      let pass = 0;
      const run = async (repeats: number) => {
        await trial.run(repeats);
        if (disturbed(variant, ++pass)) clock.pass(4);
      };
      return { ...trial, run };
    },
  };
}

test("who fell behind the seed in one round does not replace it: a machine that is busy is no judge", async () => {
  const clock = fakeClock();
  const table = { seed: { runMs: 8 }, a: { runMs: 6 }, b: { runMs: 7 } };
  const first = disturb(fakeTask(clock, "class", table), clock, (variant, pass) => variant === "a" && pass === 3);
  expect(await bestOf([first], optionsOf(clock))).toEqual({ class: "b" });
  const slow = { seed: { runMs: 8 }, a: { runMs: 8.5 } };
  const second = disturb(fakeTask(clock, "class", slow), clock, (variant, pass) => variant === "seed" && pass < 4);
  expect(await bestOf([second], optionsOf(clock))).toEqual({ class: "seed" });
});

test("when the time is over, what was not measured to the end is left to its seed", async () => {
  const clock = fakeClock();
  const table = { seed: { runMs: 8 }, a: { runMs: 4 }, b: { runMs: 6 } };
  const tasks = ["first", "second", "third"].map((name) => fakeTask(clock, name, table));
  // A class takes 8 to know the seed, 4 + 6 to know the others, and at most three rounds of 18.
  const chosen = await bestOf(
    tasks.map(({ task }) => task),
    { ...optionsOf(clock), timingMs: 90 },
  );
  expect(chosen).toEqual({ first: "a" });
  expect(clock.now()).toBeLessThan(90 + 8);
  expect(tasks[1]!.runs.length).toBeGreaterThan(0);
  expect(tasks[2]!.runs).toEqual([]);
  expect(tasks.map(({ counts }) => counts.open)).toEqual([0, 0, 0]);
  // A GPU's clock falls while a driver compiles.
  expect(clock.done.lastIndexOf("compiled")).toBeLessThan(clock.done.indexOf("timed"));
});

test("compiling is no part of that time", async () => {
  const clock = fakeClock();
  const table = { seed: { runMs: 8, compileMs: 600 }, a: { runMs: 4, compileMs: 600 } };
  const tasks = ["first", "second", "third"].map((name) => fakeTask(clock, name, table).task);
  expect(await bestOf(tasks, { ...optionsOf(clock), timingMs: 150 })).toEqual({ first: "a", second: "a", third: "a" });
});

test("nothing runs but alone, and waiting for that is not counted", async () => {
  const clock = fakeClock();
  const { task, counts } = fakeTask(clock, "class", { seed: { runMs: 8 }, a: { runMs: 4 } });
  let isAlone = false;
  const watched: TuningTask = {
    ...task,
    async prepare(variant) {
      expect(isAlone).toBe(false); // it may take seconds
      const { output, run, free } = await task.prepare(variant);
      const inTurn = <T>(work: () => Promise<T>) => {
        expect(isAlone).toBe(true);
        return work();
      };
      return { output: () => inTurn(output), run: (repeats) => inTurn(() => run(repeats)), free };
    },
  };
  const alone: TuneOptions["alone"] = async (work) => {
    clock.pass(90); // so little is no interruption
    isAlone = true;
    return work().finally(() => {
      isAlone = false;
    });
  };
  // A class takes 8 to know the seed, 4 to know the other, and three rounds of 12.
  const other = fakeTask(clock, "other", { seed: { runMs: 8 }, a: { runMs: 4 } });
  const chosen = await bestOf([watched, other.task], { ...optionsOf(clock), alone, timingMs: 96 });
  expect(chosen).toEqual({ class: "a", other: "a" });
  expect(counts.open).toBe(0);
});

test("a class during which something else was done is left for the next time, and the next one is begun warm", async () => {
  const clock = fakeClock();
  const table = { seed: { runMs: 8 }, a: { runMs: 4 } };
  const tasks = ["first", "second", "third"].map((name) => fakeTask(clock, name, table));
  const alone: TuneOptions["alone"] = async (work) => {
    if (tasks[1]!.runs.length === 3) clock.pass(500);
    return work();
  };
  const all = tasks.map(({ task }) => task);
  expect(await bestOf(all, { ...optionsOf(clock), alone, warmUpMs: 80 })).toEqual({ first: "a", third: "a" });
  const seeds = tasks.map(({ runs }) => runs.filter(({ variant }) => variant === "seed").length);
  expect(seeds).toEqual([10 + 3, 1 + 3, 10 + 3]);
});

test("the first class is measured to its end, however little time there is", async () => {
  const clock = fakeClock();
  const tasks = ["first", "second"].map((name) => fakeTask(clock, name, { seed: { runMs: 80 }, a: { runMs: 40 } }));
  const all = tasks.map(({ task }) => task);
  expect(await bestOf(all, { ...optionsOf(clock), timingMs: 100 })).toEqual({ first: "a" });
  expect(tasks[1]!.runs).toEqual([]);
});

test.each([0, 1, 2, 3, 5, 8])(
  "when it cannot be alone again after %i times it ends, and nothing stays open",
  async (times) => {
    const clock = fakeClock();
    const { task, counts } = fakeTask(clock, "class", { seed: { runMs: 8 }, a: { runMs: 4 } });
    const fault = new EngineError("aborted", "The runtime is gone.");
    let count = 0;
    const alone: TuneOptions["alone"] = async (work) => {
      if (count++ === times) throw fault;
      return work();
    };
    await expect(tune([task], { ...optionsOf(clock), alone })).rejects.toBe(fault);
    expect(counts.open).toBe(0);
  },
);

test.each(["device_lost", "aborted"] as const)("%s ends it, and nothing stays open", async (code) => {
  const clock = fakeClock();
  const fault = new EngineError(code, "It is over.");
  const { task, counts } = fakeTask(clock, "class", { seed: { runMs: 1 }, a: { runMs: 1, fault }, b: { runMs: 1 } });
  await expect(tune([task], optionsOf(clock))).rejects.toBe(fault);
  expect(counts.open).toBe(0);
});
