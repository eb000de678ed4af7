// What the page and the engine's worker say to each other: the calls, and the events that come back on a port.
import type { ModelList } from "../api/types.ts";
import type { Speculation } from "../engine/answer.ts";
import type { ModelInfo } from "../engine/model-info.ts";
import type { ProgressEvent } from "../engine/progress.ts";
import type { TuneOption } from "../engine/runtime-host.ts";
import type { Stall } from "../engine/stall.ts";
import type { RequestStats } from "../engine/stats.ts";
import type { KvCacheType } from "../kernels/kv-format.ts";
import type { Precision } from "../kernels/precision.ts";
import type { ModelFile } from "./model-files.ts";

export interface OpenOptions {
  /** Bytes of GPU memory for the keys, values and scratch of all models, beside their weights; default 1 GiB. */
  readonly memoryBudget?: number;
  /** `lookup`: text that repeats the prompt or itself comes faster. Never changes an answer; default "off". */
  readonly speculate?: Speculation;
}

export interface LoadOptions {
  /** What requests call the model; default: the file's name, without its ending. */
  readonly id?: string;
  /** Tokens that prompt and answer may have together; default: what the model was trained for, if the memory budget allows. */
  readonly contextLength?: number;
  /** How keys and values are kept: q8_0 takes about half of the memory, and rounds more. Default: f16. */
  readonly kvCache?: KvCacheType;
  /**
   * `"exact"`, the default: products are exact to the rounding of float32 sums. `"fast"`: activations may be rounded to bytes where
   * that is faster.
   */
  readonly precision?: Precision;
  /**
   * `"auto"`, the default: on a GPU it is measured, once, which kernels are fastest there, which takes some seconds of the first
   * load. `"off"`: no time for that.
   */
  readonly tune?: TuneOption;
  /** Published SHA-256 of the one file at a URL, 64 hexadecimal digits: another file is refused with `integrity_mismatch`. */
  readonly sha256?: string;
}

/** Sent on the port of `open`. */
export type EngineEvent =
  | { readonly type: "stats"; readonly stats: RequestStats }
  | { readonly type: "stall"; readonly stall: Stall };

/** In the worker. Arguments at the top level may be signals and model files (transport.ts). */
export interface WorkerApi {
  /** Holds the Web Lock of this name until the worker dies: its release is the only prompt sign of that. */
  hold(lockName: string): Promise<void>;
  /** Before all others, once. `events` gets EngineEvents. */
  open(options: OpenOptions, events: MessagePort): Promise<void>;
  /** @param progress gets ProgressEvents, also when the model is loaded again after a loss */
  load(
    files: readonly ModelFile[],
    options: LoadOptions,
    progress: MessagePort,
    signal: AbortSignal,
  ): Promise<ModelInfo>;
  unload(id: string): Promise<void>;
  listModels(): Promise<ModelList>;
  /** Resolves to a completion, or for a streamed one to an iterable of chunks. */
  create(params: unknown, signal: AbortSignal): Promise<unknown>;
  dispose(): Promise<void>;
}

export type ProgressMessage = ProgressEvent;

/** All of them, and nothing else is reachable. */
export const WORKER_METHODS: readonly (keyof WorkerApi)[] = [
  "hold",
  "open",
  "load",
  "unload",
  "listModels",
  "create",
  "dispose",
];
