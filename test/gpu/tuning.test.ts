// Tuning with a model's own weights: variants give what the seed gives, choices reach the kernels and the fingerprint, and the
// model that was tuned answers as the one that was not. The other variants are in the tables of the kernels' own tests.
import { expect, test, vi } from "vitest";
import { readGguf } from "../../src/gguf/gguf.ts";
import type { Device } from "../../src/gpu/device.ts";
import type { Precision } from "../../src/kernels/precision.ts";
import { specOf } from "../../src/model/architectures/index.ts";
import { createGpuRuntime } from "../../src/runtime/gpu-runtime.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import type { TuningTask } from "../../src/runtime/tuning/tune.ts";
import { createTuner, type Tuner, type TuningTools } from "../../src/runtime/tuning/tuner.ts";
import type { Choices, KernelClass } from "../../src/runtime/tuning/variants.ts";
import { memorySource } from "../../src/storage/byte-source.ts";
import { memoryTuningStore } from "../fixtures/memory-tuning-store.ts";
import { tinyModel } from "../fixtures/tiny-models.ts";
import { describeAdapters, saidToBeGpu, type TestAdapter } from "./adapters.ts";
import { nmse } from "./weight-kernels.ts";

// q, k and v are a class of their own, and so are gate and up, the two that add to the residual stream, and the head.
const MODEL = tinyModel({ format: "Q4_1", contextLength: 64, intermediateSize: 128, vocabSize: 96, seed: 5 });
const CLASSES = [
  "mat-vec Q4_1 256 x 64",
  "mat-vec Q4_1 192 x 64",
  "mat-vec Q4_1 64 x 128",
  "mat-vec Q4_1 96 x 64",
  "mat-vec Q4_1 64 x 64",
  "mat-mul Q4_1 256 x 64",
  "mat-mul Q4_1 192 x 64",
  "mat-mul Q4_1 64 x 128",
  "mat-mul Q4_1 64 x 64",
];
/** Beside the seeds; few, since SwiftShader takes half a second for a pipeline. */
const TRIED = ["8 x 1", "512 x 4", "64 x 64"];
const IDS = [1, 5, 9, 2, 7];
const LAST = { logits: true, at: "last" } as const;

async function load(adapter: TestAdapter, tuner?: Tuner, precision?: Precision): Promise<Runtime> {
  return loadOn(await adapter.device(), tuner, precision);
}

async function loadOn(device: Device, tuner?: Tuner, precision?: Precision): Promise<Runtime> {
  const model = await readGguf(memorySource(MODEL));
  return createGpuRuntime({ device, model, spec: specOf(model), tuner, precision });
}

/** Logits behind a prompt, and behind one token more. */
async function answer(runtime: Runtime): Promise<number[]> {
  const sequence = runtime.open();
  const values: number[] = [];
  for (const [stage, ids] of [
    ["prefill", IDS],
    ["decode", [3]],
  ] as const) {
    const { rows } = await runtime.step({ stage, rows: [{ sequence, input: { ids }, want: LAST }] });
    values.push(...rows[0]!.logits![0]!);
  }
  return values;
}

async function outputOf(task: TuningTask, variant: string): Promise<Float32Array> {
  const trial = await task.prepare(variant);
  const values = await trial.output();
  trial.free();
  return values;
}

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < expected.length; i++) expect(actual[i]).toBeCloseTo(expected[i]!, 3);
}

/** Of a task the seed and TRIED. */
function few(task: TuningTask): TuningTask {
  return { ...task, variants: task.variants.filter((variant, index) => index === 0 || TRIED.includes(variant)) };
}

function decided(choices: Choices): Tuner {
  return { platform: "test", choose: async () => choices, measure: async () => {} };
}

/** Loads a model, computes a prompt, and does `work` with what its tuner is given to measure with. */
async function measuring(
  device: Device,
  work: (classes: readonly KernelClass[], tools: TuningTools) => Promise<void>,
  precision?: Precision,
): Promise<Runtime> {
  let measured: Promise<void> | undefined;
  const measure: Tuner["measure"] = ({ classes }, tools) => {
    measured = tools.alone(() => work(classes, tools));
    return measured;
  };
  const runtime = await loadOn(device, { platform: "test", choose: async () => ({}), measure }, precision);
  await runtime.step({ stage: "prefill", rows: [{ sequence: runtime.open(), input: { ids: IDS }, want: LAST }] });
  await measured;
  return runtime;
}

describeAdapters("tuning", (adapter) => {
  test("each variant's trial gives what the seed's gives, before and after runs, and leaves nothing in memory", async () => {
    const { buffers } = await adapter.device();
    const trials = async (tasks: readonly TuningTask[]) => {
      for (const task of tasks) {
        let expected: Float32Array | undefined;
        for (const variant of task.variants) {
          const trial = await task.prepare(variant);
          const output = await trial.output();
          await trial.run(3);
          expect(await trial.output(), `${task.name}, ${variant}: the same after runs`).toEqual(output);
          trial.free();
          expected ??= output;
          expect(output.some((value) => value !== 0)).toBe(true);
          expectClose(output, expected);
        }
      }
    };
    let held: [before: number, after: number] | undefined;
    const runtime = await measuring(await adapter.device(), async (classes, { taskOf }) => {
      expect(classes.map(({ name }) => name)).toEqual(CLASSES);
      const tasks = classes.map((kernels) => few(taskOf(kernels)));
      await trials(tasks);
      const before = buffers.heldBytes; // what devices keep, the arenas of parameters, is there by now
      await trials(tasks.slice(0, 2));
      held = [before, buffers.heldBytes];
    });
    runtime.dispose();
    expect(held![1]).toBe(held![0]);
  });

  test("with less precision numbers of fewer bits are tried too: off by more than another order of sums, and by less than they may be", async () => {
    const device = await adapter.device();
    const compact = async (classes: readonly KernelClass[], { taskOf }: TuningTools) => {
      for (const task of classes.filter(({ family }) => family === "mat-vec").map(taskOf)) {
        const tried = task.variants.filter((variant) => / (f16|int8)$/.test(variant));
        const exactly = task.variants.find((variant) => !tried.includes(variant))!;
        const exact = await outputOf(task, exactly);
        expect(tried.some((variant) => variant.endsWith(" int8"))).toBe(true);
        for (const variant of tried) {
          const difference = nmse(await outputOf(task, variant), exact);
          expect(difference, `${task.name}, ${variant}`).toBeGreaterThan(task.maxDifference(exactly));
          expect(difference, `${task.name}, ${variant}`).toBeLessThan(task.maxDifference(variant) / 4);
        }
      }
    };
    const [fast, exact] = [await measuring(device, compact, "fast"), await load(adapter)];
    expect(fast.info.fingerprint).toMatchObject({ precision: "fast" });
    expect(exact.info.fingerprint).toMatchObject({ precision: "exact" });
    // Never measured, a CPU adapter takes what was asked for in every class of decode.
    for (const name of device.adapter.isFallback ? CLASSES.filter((each) => each.startsWith("mat-vec")) : [])
      expect(fast.info.fingerprint["variants"]).toContain(`${name}: 8 x 1 int8`);
    fast.dispose();
    exact.dispose();
  });

  test("kernels for GPUs answer as those for CPUs, up to the order of sums", async () => {
    const vec = ["8 x 16 for 16", "4 x 32 for 8", "32 x 4"];
    const choose: Tuner["choose"] = async ({ classes }) => {
      const ofDecode = classes.filter(({ family }) => family === "mat-vec");
      return Object.fromEntries(ofDecode.map(({ name }, index) => [name, vec[index % vec.length]!]));
    };
    const [asGpu, asCpu] = [
      await loadOn(saidToBeGpu(await adapter.device()), { ...decided({}), choose }),
      await load(adapter),
    ];
    for (const name of [...vec, "staged 64 x 64"]) expect(asGpu.info.fingerprint["variants"]).toContain(`: ${name}`);
    expectClose(await answer(asGpu), await answer(asCpu));
    asGpu.dispose();
    asCpu.dispose();
  });

  test("the mat-mul kernels of GPUs give what the seed's gives, within what their arithmetic may be off", async () => {
    const device = saidToBeGpu(await adapter.device());
    const ofGpu = async (classes: readonly KernelClass[], { taskOf }: TuningTools) => {
      const task = classes.filter(({ family }) => family === "mat-mul").map(taskOf)[0]!;
      const [seed, ...others] = task.variants.filter((variant) => variant.startsWith("staged"));
      expect([seed, ...others]).toEqual(["staged 64 x 64", "staged 128 x 64", "staged 64 x 32", "staged 64 x 64 int8"]);
      const expected = await outputOf(task, seed!);
      for (const variant of others)
        expect(nmse(await outputOf(task, variant), expected), variant).toBeLessThan(task.maxDifference(variant) / 4);
    };
    (await measuring(device, ofGpu, "fast")).dispose();
  });

  test("what is measured between answers changes none of them, and is what the next session takes", async () => {
    const store = memoryTuningStore();
    const measured: string[] = [];
    let tell = () => {};
    const all = new Promise<void>((resolve) => {
      tell = resolve;
    });
    const session = () => {
      const tuner = createTuner({
        platform: "test",
        store,
        adapters: "all",
        timingMs: 1e9,
        onMeasured: (name) => {
          if (measured.push(name) === CLASSES.length) tell();
        },
      });
      const measure: Tuner["measure"] = (subject, { taskOf, alone }) =>
        tuner.measure(subject, { alone, taskOf: (kernels) => few(taskOf(kernels)) });
      return { ...tuner, measure };
    };
    const untuned = await load(adapter);
    const expected = await answer(untuned);
    const first = await load(adapter, session());
    expect(first.info.fingerprint).toEqual(untuned.info.fingerprint);
    expect(await answer(first)).toEqual(expected);
    expect(measured).toEqual([]);
    await all;
    expect(measured).toEqual(CLASSES);
    expect(await answer(first)).toEqual(expected);
    const second = await load(adapter, session());
    const [{ choices }] = Object.values(store.held) as [{ choices: Choices }];
    for (const [name, variant] of Object.entries(choices))
      expect(second.info.fingerprint["variants"]).toContain(`${name}: ${variant}`);
    expectClose(await answer(second), expected);
    for (const runtime of [untuned, first, second]) runtime.dispose();
  });

  /** Loads a model, and lets `end` happen to it while a trial waits for memory to read into; what the trial comes to. */
  async function endedInTrial(device: Device, end: (runtime: Runtime) => void): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const measure: Tuner["measure"] = async ({ classes }, { taskOf, alone }) => {
        const task = taskOf(classes[0]!);
        const trial = await task.prepare(task.variants[0]!);
        const working = alone(async () => {
          const output = trial.output();
          end(await loading);
          return output;
        });
        await working.then(resolve, resolve).finally(trial.free);
      };
      const loading = loadOn(device, { ...decided({}), measure });
      loading.catch(reject);
    });
  }

  test("a runtime that is disposed of in a trial submits nothing more, and its device lives on", async () => {
    const device = await adapter.device();
    const submit = vi.spyOn(device.gpu.queue, "submit");
    let after = Number.NaN;
    const ended = await endedInTrial(device, (runtime) => {
      runtime.dispose();
      after = submit.mock.calls.length;
    });
    expect(ended).toMatchObject({ code: "aborted" });
    expect(submit.mock.calls.length).toBe(after);
    submit.mockRestore();
    const next = await load(adapter);
    expect((await answer(next)).every(Number.isFinite)).toBe(true);
    next.dispose();
  });

  test("a device that is lost in a trial ends it as a loss, also where the runtime goes with it", async () => {
    const device = await adapter.open();
    const ended = await endedInTrial(device, (runtime) => {
      void device.lost.then(() => runtime.dispose());
      device.gpu.destroy();
    });
    expect(ended).toMatchObject({ code: "device_lost" });
    device.dispose();
  });

  test("without a word to the contrary a CPU adapter is not measured: the seeds' bits, and their fingerprint", async (context) => {
    context.skip(!(await adapter.device()).adapter.isFallback, "it is a GPU");
    const measured: string[] = [];
    const onMeasured = (name: string) => void measured.push(name);
    const [usual, seeds] = [await load(adapter, createTuner({ platform: "test", onMeasured })), await load(adapter)];
    expect(measured).toEqual([]);
    expect(usual.info.fingerprint).toEqual(seeds.info.fingerprint);
    expect(await answer(usual)).toEqual(await answer(seeds));
    usual.dispose();
    seeds.dispose();
  });

  test("a choice is what the class's kernels are made of, and changes the fingerprint", async () => {
    const vec = (await adapter.device()).adapter.isFallback ? "8 x 1" : "8 x 8";
    const choices = { "mat-vec Q4_1 192 x 64": vec, "mat-mul Q4_1 64 x 128": "64 x 64" };
    const [seeds, chosen] = [await load(adapter), await load(adapter, decided(choices))];
    const described = Object.entries(choices).map(([name, variant]) => `${name}: ${variant}`);
    for (const text of described) {
      expect(chosen.info.fingerprint["variants"]).toContain(text);
      expect(seeds.info.fingerprint["variants"]).not.toContain(text);
    }
    expect(chosen.info.fingerprint["kernels"]).not.toBe(seeds.info.fingerprint["kernels"]);
    // The same kernels in other places.
    const swapped = await load(adapter, decided({ "mat-vec Q4_1 256 x 64": vec, "mat-mul Q4_1 64 x 64": "64 x 64" }));
    expect(swapped.info.fingerprint["variants"]).not.toBe(chosen.info.fingerprint["variants"]);
    expectClose(await answer(chosen), await answer(seeds));
    for (const runtime of [seeds, chosen, swapped]) runtime.dispose();
  });
});
