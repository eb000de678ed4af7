// The tuner of a session: what was chosen once stays chosen while it lives, whatever devices come and go. What it measures is for
// the sessions after it, for which a store keeps it. A store that is broken or slow is as good as none.
import { isEngineError } from "../../base/errors.ts";
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
  readonly onMeasured?: TuneOptions["onMeasured"] | undefined;
}

export interface TuningSubject {
  readonly adapter: KernelFacts;
  /** See tuningKey; asked for where something may be measured. */
  readonly key: () => Promise<string>;
  readonly classes: readonly KernelClass[];
}

/** What is measured with. */
export interface TuningTools {
  taskOf(kernels: KernelClass): TuningTask;
  readonly alone: TuneOptions["alone"];
}

export interface Tuner {
  readonly platform: string;
  /** For this session: what was chosen in it before, or else what is kept from earlier ones, or else the seed. */
  choose(subject: TuningSubject): Promise<Choices>;
  /**
   * Measures what nobody has measured, and keeps it for later sessions. Where nothing can be kept nothing is measured, nor where
   * it has cost three devices.
   * @throws EngineError `aborted`, `device_lost`, `disposed`, and what the trials and `alone` throw
   */
  measure(subject: TuningSubject, tools: TuningTools): Promise<void>;
}

const TIMING_MS = 1500;
const WARM_UP_MS = 300;
const STORE_MS = 1000;

/** A driver that trials have brought down so often is not asked again. */
const MOST_LOSSES = 3;

/** What is kept; other versions are a miss. */
interface Kept {
  readonly version: 1;
  readonly choices: Choices;
  /** Devices that were lost while their kernels were measured. */
  readonly losses: number;
}

const NOTHING: Kept = { version: 1, choices: {}, losses: 0 };

export function createTuner(options: TunerOptions): Tuner {
  const { platform, store, now = () => performance.now(), adapters = "gpus" } = options;
  /** By key. */
  const pinned = new Map<string, Choices>();
  /** Models are measured one after the other: two at once would time each other. */
  let tail: Promise<unknown> = Promise.resolve();
  const isTuned = ({ isFallback }: KernelFacts) => !isFallback || adapters === "all";

  async function measure(
    { adapter, classes, ...subject }: TuningSubject,
    { taskOf, alone }: TuningTools,
  ): Promise<void> {
    if (!store) return;
    const key = await subject.key();
    const { choices, losses } = await readKept(store, key);
    if (losses >= MOST_LOSSES) return;
    const open = classes.filter((kernels) => keptVariant(choices, kernels, adapter) === undefined);
    // Read anew each time, since another page may have kept something meanwhile.
    const keep = async (change: (kept: Kept) => Partial<Kept>) => {
      const kept = await readKept(store, key);
      await inTime(store.write(key, { ...kept, ...change(kept) })).catch(() => {});
    };
    try {
      await tune(open.map(taskOf), {
        now,
        timingMs: options.timingMs ?? TIMING_MS,
        warmUpMs: options.warmUpMs ?? WARM_UP_MS,
        alone,
        async onMeasured(name, best, runMs) {
          // At once: the page may be gone before the next one.
          await keep((kept) => ({ choices: { ...kept.choices, [name]: best } }));
          await options.onMeasured?.(name, best, runMs);
        },
      });
    } catch (error) {
      if (isEngineError(error, "device_lost")) await keep((kept) => ({ losses: kept.losses + 1 }));
      throw error;
    }
  }

  return {
    platform,
    async choose({ adapter, classes, ...subject }) {
      if (!isTuned(adapter)) return {};
      const key = await subject.key();
      const kept = store ? (await readKept(store, key)).choices : {};
      const pins = pinned.get(key) ?? {};
      const added = classes.filter(({ name }) => !(name in pins));
      // What nobody has measured keeps its seed in this session.
      const chosen = added.map((kernels) => {
        return [kernels.name, keptVariant(kept, kernels, adapter) ?? candidatesOf(kernels, adapter)[0]!] as const;
      });
      const choices = { ...Object.fromEntries(chosen), ...pins };
      pinned.set(key, choices);
      return choices;
    },
    measure(subject, tools) {
      if (!isTuned(subject.adapter)) return Promise.resolve();
      const measured = tail.then(() => measure(subject, tools));
      tail = measured.catch(() => {});
      return measured;
    },
  };
}

/** Undefined where nothing is kept, or what the adapter has no variant for any more. */
function keptVariant(kept: Choices, kernels: KernelClass, adapter: KernelFacts): string | undefined {
  const variant = kept[kernels.name];
  return variant !== undefined && candidatesOf(kernels, adapter).includes(variant) ? variant : undefined;
}

async function readKept(store: TuningStore, key: string): Promise<Kept> {
  const value = await inTime(store.read(key)).catch(() => undefined);
  return isKept(value) ? value : NOTHING;
}

function isKept(value: unknown): value is Kept {
  if (typeof value !== "object" || value === null) return false;
  const { version, choices, losses } = value as Record<keyof Kept, unknown>;
  if (version !== 1 || typeof losses !== "number" || typeof choices !== "object" || choices === null) return false;
  return Object.values(choices).every((variant) => typeof variant === "string");
}

/** Some browsers have left an opened database unanswered for good. */
function inTime<Value>(asked: Promise<Value>): Promise<Value> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`the store did not answer within ${STORE_MS} ms`)), STORE_MS);
    asked.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
