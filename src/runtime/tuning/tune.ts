// The measuring: of each kernel class the seed against its candidates, all of them compiled first and checked, then timed in
// turns, within a budget.
import { isEngineError } from "../../base/errors.ts";
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
  /** Time for measuring, all tasks together; the first is measured to its end. */
  readonly timingMs: number;
  /**
   * Of it, how long the first seed runs before anything counts, and the next one after an interruption: a GPU that was idle raises
   * its clock by and by, and what is timed first would be timed at another speed than the rest.
   */
  readonly warmUpMs: number;
  /** Does `work` when nothing else would be held up by it, or would disturb it; rejects when that will not come. */
  readonly alone: <T>(work: () => Promise<T>) => Promise<T>;
  /** Of each class that was measured to the end: what is best, and milliseconds of one run by variant. */
  readonly onMeasured: (name: string, best: string, runMs: Readonly<Record<string, number>>) => Promise<void> | void;
}

/** A pass of this length is far above what clocks and submissions add to it, and far below what a page would feel. */
const PASS_MS = 5;
const ROUNDS = 3;
/** A candidate is first timed with a fraction of the runs, so that one which is very slow cannot stall the page. */
const PROBE_DIVISOR = 4;
/** In units of the seed's time. */
const PROBE_LIMIT = 3;
/** After a round, what is so much slower than the best so far is timed no more. */
const ROUND_LIMIT = 1.2;
/** Passes that are so far apart may be of a GPU whose clock has fallen. */
const INTERRUPTION_MS = 100;
/** A candidate has to be better than the seed by more than what quiet measurements scatter by. */
const LEAST_GAIN = 0.03;

/**
 * Measures until all tasks or the budget have ended. All that is measured is compiled first, one task after the other: while a
 * driver compiles, a GPU's clock falls. A task that is interrupted is left for the next time.
 * @throws EngineError `aborted`, `device_lost`, `disposed`; and what `alone` and the seed's own preparation throw
 */
export async function tune(tasks: readonly TuningTask[], options: TuneOptions): Promise<void> {
  const { alone, onMeasured } = options;
  const prepared = new Map<TuningTask, Map<string, Trial>>();
  try {
    for (const task of tasks) {
      await alone(async () => {});
      const trials = new Map<string, Trial>();
      prepared.set(task, trials);
      await prepareAll(task, trials);
      await check(task, trials, alone);
    }
    const clock = createClock(options);
    let warmUpMs = options.warmUpMs;
    for (const [{ name, variants }, trials] of prepared) {
      clock.begin();
      const rounds = await measure(variants[0]!, trials, clock, warmUpMs);
      if (!rounds) return;
      warmUpMs = clock.interrupted ? options.warmUpMs : 0;
      if (clock.interrupted) continue;
      const medians = [...rounds].map(([variant, runMs]) => [variant, median(runMs)] as const);
      await onMeasured(name, fastest(variants[0]!, rounds), Object.fromEntries(medians));
    }
  } finally {
    for (const trials of prepared.values()) for (const trial of trials.values()) trial.free();
  }
}

interface Clock {
  /** Begins with a task. The first has no limit, so that something comes of each session. */
  begin(): void;
  /** Milliseconds of one run out of so many; undefined when no time was left for them. */
  time(trial: Trial, repeats: number): Promise<number | undefined>;
  /** Whether something came between two passes of the task. */
  readonly interrupted: boolean;
}

function createClock({ now, timingMs, alone }: TuneOptions): Clock {
  let leftMs = timingMs;
  let begun = 0;
  let interrupted = false;
  let lastEnd: number | undefined;
  return {
    begin() {
      begun++;
      interrupted = false;
      lastEnd = undefined;
    },
    async time(trial, repeats) {
      if (leftMs <= 0 && begun > 1) return undefined;
      const ms = await alone(async () => {
        const start = now();
        if (lastEnd !== undefined && start - lastEnd > INTERRUPTION_MS) interrupted = true;
        await trial.run(repeats);
        lastEnd = now();
        return lastEnd - start;
      });
      leftMs -= ms;
      return ms / repeats;
    },
    get interrupted() {
      return interrupted;
    },
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
async function check(task: TuningTask, trials: Map<string, Trial>, alone: TuneOptions["alone"]): Promise<void> {
  const [seed, ...candidates] = trials;
  const expected = await alone(() => seed![1].output());
  for (const [variant, trial] of candidates) {
    if (isSame(expected, await alone(() => trial.output()), task.maxDifference(variant))) continue;
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
  { time }: Clock,
  warmUpMs: number,
): Promise<Map<string, readonly number[]> | undefined> {
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
  time: Clock["time"],
  warmUpMs: number,
): Promise<{ repeats: number; seedMs: number } | undefined> {
  let spentMs = 0;
  for (let repeats = 1; ; ) {
    const seedMs = await time(seed, repeats);
    if (seedMs === undefined) return undefined;
    spentMs += seedMs * repeats;
    if (seedMs * repeats < PASS_MS) repeats *= 2;
    else if (spentMs >= warmUpMs) return { repeats: Math.ceil(PASS_MS / seedMs), seedMs };
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
