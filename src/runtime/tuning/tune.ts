// The measuring: of each kernel class the seed against its candidates, compiled while the weights come, checked when they are
// there, then timed in turns, within a budget.
import { isEngineError, throwIfAborted } from "../../base/errors.ts";
import { median } from "../../base/median.ts";

/** One variant of a class, ready to run. */
export interface Trial {
  /** Its result for an input that is the same for all variants of the class. Runs once, and so compiles what is left to compile. */
  output(): Promise<Float32Array>;
  /** Submits so many runs as one pass, and waits for them. */
  run(repeats: number): Promise<void>;
  free(): void;
}

export interface TuningTask {
  /** The class's. */
  readonly name: string;
  /** Names of variants, the seed first. */
  readonly variants: readonly string[];
  /** Energy of the difference from the seed's output that a variant may have, over that output's energy. */
  maxDifference(variant: string): number;
  /** @throws what makes the variant unusable here */
  prepare(variant: string): Promise<Trial>;
}

export interface TuneOptions {
  /** Milliseconds. */
  readonly now: () => number;
  /** Time for measuring, all tasks together. */
  readonly timingMs: number;
  /**
   * Of it, how long the first seed runs before anything counts: a GPU that was idle raises its clock by and by, and what is timed
   * first would be timed at another speed than the rest.
   */
  readonly warmUpMs: number;
  /** What trials compute with is there: until then they are only compiled. */
  readonly ready: Promise<unknown>;
  /** Time for compiling once it is, all tasks together: a driver that is slow to compile keeps more seeds. */
  readonly preparingMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds of one run by variant, of each class that was measured. */
  readonly onMeasured?: ((name: string, runMs: Readonly<Record<string, number>>) => void) | undefined;
}

/** A pass of this length is far above what clocks and submissions add to it, and far below what a page would feel. */
const PASS_MS = 5;
const ROUNDS = 3;
/** A candidate is first timed with a fraction of the runs, so that one which is very slow cannot stall the page. */
const PROBE_DIVISOR = 4;
/** In units of the seed's time. */
const PROBE_LIMIT = 4;
/** After a round, what is so much slower than the best so far is timed no more. */
const ROUND_LIMIT = 1.5;
/** A candidate has to be better than the seed by more than what quiet measurements scatter by. */
const LEAST_GAIN = 0.03;
/**
 * The best variant of each task that was measured to the end; what the budget did not reach is absent. All that is measured is
 * compiled first: while a driver compiles, a GPU's clock falls. What there was no time for is compiled anew in the next session.
 * @throws EngineError `aborted`, `device_lost`, `disposed`, what the seed's own preparation throws, and what `ready` rejects with
 */
export async function tune(tasks: readonly TuningTask[], options: TuneOptions): Promise<Record<string, string>> {
  if (tasks.length === 0) return {};
  const budget = createBudget(options);
  await Promise.resolve(); // weights that are there already are known to be before anything counts
  const prepared = new Map<TuningTask, Map<string, Trial>>();
  try {
    for (const task of tasks) {
      const trials = new Map<string, Trial>();
      prepared.set(task, trials);
      if (await budget.preparing(() => prepareAll(task, trials))) continue;
      prepared.delete(task);
      break;
    }
    await options.ready;
    for (const [task, trials] of prepared) {
      throwIfAborted(options.signal);
      await check(task, trials);
    }
    return await measureAll(prepared, budget, options);
  } finally {
    for (const trials of prepared.values()) for (const trial of trials.values()) trial.free();
  }
}

async function measureAll(
  prepared: ReadonlyMap<TuningTask, ReadonlyMap<string, Trial>>,
  budget: Budget,
  { warmUpMs, onMeasured }: TuneOptions,
): Promise<Record<string, string>> {
  const chosen: Record<string, string> = {};
  let isWarm = false;
  for (const [{ name, variants }, trials] of prepared) {
    const rounds = await measure(variants[0]!, trials, budget, isWarm ? 0 : warmUpMs);
    if (!rounds) break;
    isWarm = true;
    chosen[name] = fastest(variants[0]!, rounds);
    const medians = [...rounds].map(([variant, runMs]) => [variant, median(runMs)] as const);
    onMeasured?.(name, Object.fromEntries(medians));
  }
  return chosen;
}

interface Budget {
  /** False when nothing was left for it. */
  preparing(work: () => Promise<void>): Promise<boolean>;
  /** Milliseconds that work took; undefined when nothing was left for it. */
  timing(work: () => Promise<void>): Promise<number | undefined>;
}

function createBudget({ now, timingMs, preparingMs, signal, ready }: TuneOptions): Budget {
  const left = { preparing: preparingMs, timing: timingMs };
  let readyAt = Number.POSITIVE_INFINITY;
  const isReady = () => {
    readyAt = now();
  };
  ready.then(isReady, isReady);
  const spend = async (kind: keyof typeof left, work: () => Promise<void>) => {
    throwIfAborted(signal);
    if (left[kind] <= 0) return undefined;
    const start = now();
    await work();
    const end = now();
    left[kind] -= Math.max(0, end - Math.max(start, readyAt));
    return end - start;
  };
  return {
    preparing: async (work) => (await spend("preparing", work)) !== undefined,
    timing: (work) => spend("timing", work),
  };
}

/** Fills `trials` with those that can be made, the seed first. */
async function prepareAll(task: TuningTask, trials: Map<string, Trial>): Promise<void> {
  // All at once: browsers compile on several threads.
  const settled = await Promise.allSettled(task.variants.map((variant) => task.prepare(variant)));
  const failures: unknown[] = [];
  for (const [index, variant] of task.variants.entries()) {
    const result = settled[index]!;
    if (result.status === "fulfilled") trials.set(variant, result.value);
    else failures.push(result.reason);
  }
  if (!trials.has(task.variants[0]!)) throw failures[0];
  failures.forEach(throwIfFatal);
}

/** Leaves those whose output is the seed's. */
async function check(task: TuningTask, trials: Map<string, Trial>): Promise<void> {
  const [seed, ...candidates] = trials;
  const expected = await seed![1].output();
  for (const [variant, trial] of candidates) {
    if (isSame(expected, await trial.output(), task.maxDifference(variant))) continue;
    trials.delete(variant);
    trial.free();
  }
}

/** A variant that cannot be made is no candidate; nothing can be made on a lost device. */
function throwIfFatal(error: unknown): void {
  for (const code of ["device_lost", "disposed", "aborted"] as const) if (isEngineError(error, code)) throw error;
}

function isSame(expected: Float32Array, actual: Float32Array, maxDifference: number): boolean {
  let difference = 0;
  let energy = 0;
  for (let i = 0; i < expected.length; i++) {
    difference += (actual[i]! - expected[i]!) ** 2;
    energy += expected[i]! ** 2;
  }
  return actual.length === expected.length && difference <= maxDifference * energy; // false for NaN
}

/** Milliseconds of one run in each round by variant, of those that were worth all; undefined when the budget ran out. */
async function measure(
  seed: string,
  trials: ReadonlyMap<string, Trial>,
  budget: Budget,
  warmUpMs: number,
): Promise<Map<string, readonly number[]> | undefined> {
  const time = async (trial: Trial, repeats: number) => {
    const ms = await budget.timing(() => trial.run(repeats));
    return ms === undefined ? undefined : ms / repeats;
  };
  const found = await repeatsFor(trials.get(seed)!, time, warmUpMs);
  if (!found) return undefined;
  const { repeats, seedMs } = found;
  const times = new Map<string, number[]>([[seed, []]]);
  for (const [variant, trial] of trials) {
    if (variant === seed) continue;
    const ms = await time(trial, Math.ceil(repeats / PROBE_DIVISOR));
    if (ms === undefined) return undefined;
    if (ms <= PROBE_LIMIT * seedMs) times.set(variant, []);
  }
  for (let round = 0; round < ROUNDS; round++) {
    // In turns, since a GPU's clock moves meanwhile.
    for (const [variant, measured] of times) {
      const ms = await time(trials.get(variant)!, repeats);
      if (ms === undefined) return undefined;
      measured.push(ms);
    }
    const best = Math.min(...[...times.values()].map(median));
    for (const [variant, measured] of times)
      if (variant !== seed && median(measured) > ROUND_LIMIT * best) times.delete(variant);
  }
  return times;
}

/** How many runs make a pass long enough to be measured, once the seed has run for `warmUpMs`. */
async function repeatsFor(
  seed: Trial,
  time: (trial: Trial, repeats: number) => Promise<number | undefined>,
  warmUpMs: number,
): Promise<{ repeats: number; seedMs: number } | undefined> {
  let spentMs = 0;
  for (let repeats = 1; ; ) {
    const seedMs = await time(seed, repeats);
    if (seedMs === undefined) return undefined;
    spentMs += seedMs * repeats;
    if (seedMs * repeats < PASS_MS) repeats *= 2;
    else if (spentMs >= warmUpMs) return { repeats, seedMs };
  }
}

/**
 * By the medians. On a busy machine they say little, and a choice is kept for long: so only what was ahead of the seed in every
 * round may replace it.
 */
function fastest(seed: string, rounds: ReadonlyMap<string, readonly number[]>): string {
  const seedMs = rounds.get(seed)!;
  const enough = (1 - LEAST_GAIN) * median(seedMs);
  const better = [...rounds]
    .filter(([, runMs]) => runMs.every((ms, round) => ms < seedMs[round]!) && median(runMs) < enough)
    .sort(([, a], [, b]) => median(a) - median(b));
  return better[0]?.[0] ?? seed;
}
