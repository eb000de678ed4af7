// The tuner of a session: what was chosen once stays chosen while it lives, whatever devices come and go; between sessions a
// store keeps it. A store that is broken or slow is as good as none.
import { throwIfAborted } from "../../base/errors.ts";
import type { KernelFacts } from "../../kernels/precision.ts";
import type { TuningStore } from "../../storage/tuning-store.ts";
import { type TuneOptions, type TuningTask, tune } from "./tune.ts";
import { type Choices, candidatesOf, type KernelClass } from "./variants.ts";

export interface TunerOptions {
  /** What runs WebGPU, with its major version: see `browserOf`. */
  readonly platform: string;
  readonly store?: TuningStore | undefined;
  /** Milliseconds; default: the clock of this process. */
  readonly now?: (() => number) | undefined;
  /** "gpus": a CPU adapter takes its seeds, which are known to be good, untimed. For tests and benches: "all". Default "gpus". */
  readonly adapters?: "gpus" | "all" | undefined;
  readonly timingMs?: number | undefined;
  readonly warmUpMs?: number | undefined;
  readonly preparingMs?: number | undefined;
  readonly onMeasured?: TuneOptions["onMeasured"];
}

export interface TuningSubject {
  readonly adapter: KernelFacts;
  /** See tuningKey; asked for where something may be measured. */
  readonly key: () => Promise<string>;
  readonly classes: readonly KernelClass[];
  readonly taskOf: (kernels: KernelClass) => TuningTask;
  /** Before it settles nothing is measured. */
  readonly ready: Promise<unknown>;
}

export interface Tuner {
  readonly platform: string;
  /**
   * The choice for every class: that of this session, or the one that was kept, or else what is measured now.
   * @throws EngineError `aborted`, `device_lost`, `disposed`
   */
  choose(subject: TuningSubject, signal?: AbortSignal): Promise<Choices>;
}

const TIMING_MS = 1500;
const WARM_UP_MS = 300;
/** Dozens of pipelines take a second where drivers are quick, and half a minute where they are not. */
const PREPARING_MS = 5000;
const STORE_MS = 1000;

/** What is kept; other versions are a miss. */
interface Kept {
  readonly version: 1;
  readonly choices: Choices;
}

export function createTuner(options: TunerOptions): Tuner {
  const { store, now = () => performance.now(), adapters = "gpus" } = options;
  /** By key. */
  const pinned = new Map<string, Choices>();
  /** Models are tuned one after the other: two at once would time each other. */
  let tail: Promise<unknown> = Promise.resolve();

  async function choose(
    { adapter, classes, taskOf, ready, ...subject }: TuningSubject,
    signal?: AbortSignal,
  ): Promise<Choices> {
    throwIfAborted(signal);
    if (adapter.isFallback && adapters === "gpus") return {};
    const key = await subject.key();
    const pins = pinned.get(key) ?? {};
    const open = classes.filter(({ name }) => !(name in pins));
    if (open.length === 0) return pins;
    const kept = store ? await readKept(store, key) : {};
    const known = Object.fromEntries(
      open.flatMap((kernels) => {
        const { name } = kernels;
        const variant = kept[name];
        return variant !== undefined && candidatesOf(kernels, adapter).includes(variant) ? [[name, variant]] : [];
      }),
    );
    const tasks = open.filter(({ name }) => !(name in known)).map(taskOf);
    const measured = await tune(tasks, {
      now,
      ready,
      timingMs: options.timingMs ?? TIMING_MS,
      warmUpMs: options.warmUpMs ?? WARM_UP_MS,
      preparingMs: options.preparingMs ?? PREPARING_MS,
      signal,
      onMeasured: options.onMeasured,
    });
    // What the budget did not reach keeps its seed for this session, and is measured in the next one.
    const seeds = Object.fromEntries(tasks.map(({ name, variants }) => [name, variants[0]!]));
    const choices = { ...pins, ...seeds, ...known, ...measured };
    pinned.set(key, choices);
    if (store && Object.keys(measured).length > 0) {
      const value: Kept = { version: 1, choices: { ...kept, ...measured } };
      await inTime(store.write(key, value)).catch(() => {});
    }
    return choices;
  }

  return {
    platform: options.platform,
    choose(subject, signal) {
      const chosen = tail.then(() => choose(subject, signal));
      tail = chosen.catch(() => {});
      return chosen;
    },
  };
}

async function readKept(store: TuningStore, key: string): Promise<Choices> {
  const value = await inTime(store.read(key)).catch(() => undefined);
  return isKept(value) ? value.choices : {};
}

function isKept(value: unknown): value is Kept {
  if (typeof value !== "object" || value === null) return false;
  const { version, choices } = value as Record<keyof Kept, unknown>;
  if (version !== 1 || typeof choices !== "object" || choices === null) return false;
  return Object.values(choices).every((variant) => typeof variant === "string");
}

/** Some browsers have left an opened database unanswered for good. */
function inTime<Value>(asked: Promise<Value>): Promise<Value> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`the store did not answer within ${STORE_MS} ms`)), STORE_MS);
    asked.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
