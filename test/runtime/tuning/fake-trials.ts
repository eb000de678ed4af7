// Kernel classes whose variants take as long as a table says, on a clock that only they move.
import type { Trial, TuneOptions, TuningTask } from "../../../src/runtime/tuning/tune.ts";

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
    done: [] as ("compiled" | "run")[],
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
          clock.done.push("run");
          return output;
        },
        async run(repeats) {
          clock.done.push("run");
          runs.push({ variant, repeats });
          clock.pass(repeats * runMs);
        },
        free: () => void counts.open--,
      };
    },
  };
  return { task, runs, counts };
}

/** Without limits that would be met. */
export function optionsOf(clock: ReturnType<typeof fakeClock>): TuneOptions {
  return {
    now: clock.now,
    ready: Promise.resolve(),
    timingMs: Number.POSITIVE_INFINITY,
    warmUpMs: 0,
    preparingMs: Number.POSITIVE_INFINITY,
  };
}
