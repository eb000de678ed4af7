// Kernel classes whose variants take as long as a table says, on a clock that only they move.
import { type Trial, type TuneOptions, type TuningTask, tune } from "../../../src/runtime/tuning/tune.ts";

export interface FakeVariant {
  /** Milliseconds of one run. */
  readonly runMs: number;
  /** Milliseconds of compiling. */
  readonly compileMs?: number;
  readonly output?: Float32Array;
  /** Of its output from the seed's; default: as little as another order of sums makes. */
  readonly maxDifference?: number;
  /** What its preparation rejects with. */
  readonly fault?: unknown;
}

export interface FakeRun {
  readonly variant: string;
  readonly repeats: number;
}

const OUTPUT = Float32Array.of(1, -2, 3, 0.5);

export function fakeClock() {
  let ms = 0;
  return {
    /** What was done meanwhile, in order. */
    done: [] as ("compiled" | "checked" | "timed")[],
    now: () => ms,
    pass(more: number) {
      ms += more;
    },
  };
}

/** The first variant is the seed. `open` counts the trials that are not freed yet. */
export function fakeTask(clock: ReturnType<typeof fakeClock>, name: string, variants: Record<string, FakeVariant>) {
  const runs: FakeRun[] = [];
  const counts = { open: 0 };
  const task: TuningTask = {
    name,
    variants: Object.keys(variants),
    maxDifference: (variant) => variants[variant]!.maxDifference ?? 1e-9,
    async prepare(variant): Promise<Trial> {
      const { runMs, compileMs = 0, output = OUTPUT, fault } = variants[variant]!;
      clock.done.push("compiled");
      clock.pass(compileMs);
      if (fault !== undefined) throw fault;
      counts.open++;
      return {
        async output() {
          clock.done.push("checked");
          return output;
        },
        async run(repeats) {
          clock.done.push("timed");
          runs.push({ variant, repeats });
          clock.pass(repeats * runMs);
        },
        free: () => void counts.open--,
      };
    },
  };
  return { task, runs, counts };
}

/** Without limits that would be met, and never held up. */
export function optionsOf(clock: ReturnType<typeof fakeClock>): TuneOptions {
  return {
    now: clock.now,
    timingMs: Number.POSITIVE_INFINITY,
    warmUpMs: 0,
    alone: (work) => work(),
    onMeasured: () => {},
  };
}

/** What is best of each class that is measured to the end. */
export async function bestOf(tasks: readonly TuningTask[], options: TuneOptions): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  await tune(tasks, {
    ...options,
    onMeasured(name, best, runMs) {
      found[name] = best;
      return options.onMeasured(name, best, runMs);
    },
  });
  return found;
}
