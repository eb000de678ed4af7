// What the page and the engine's worker say to each other: the calls, and the events that come back on a port.
import type { ModelInfo } from "../engine/model-info.ts";
import type { ProgressEvent } from "../engine/progress.ts";
import type { Stall } from "../engine/scheduler.ts";
import type { RequestStats } from "../engine/stats.ts";
import type { ModelFile } from "./model-files.ts";

export interface LoadOptions {
  readonly contextLength?: number;
  readonly modelId?: string;
  /** Published SHA-256 of the one file at a URL, 64 hexadecimal digits: another file is refused with `integrity_mismatch`. */
  readonly sha256?: string;
}

/** Sent on the `events` port of `load`. */
export type WorkerEvent =
  | { readonly type: "progress"; readonly progress: ProgressEvent }
  | { readonly type: "stats"; readonly stats: RequestStats }
  | { readonly type: "stall"; readonly stall: Stall };

/** In the worker. Arguments at the top level may be signals and model files (transport.ts). */
export interface WorkerApi {
  /** Holds the Web Lock of this name until the worker dies: its release is the only prompt sign of that. */
  hold(lockName: string): Promise<void>;
  load(files: readonly ModelFile[], options: LoadOptions, events: MessagePort, signal: AbortSignal): Promise<ModelInfo>;
  /** Resolves to a completion, or for a streamed one to an iterable of chunks. */
  create(params: unknown, signal: AbortSignal): Promise<unknown>;
  dispose(): Promise<void>;
}

/** All of them, and nothing else is reachable. */
export const WORKER_METHODS: readonly (keyof WorkerApi)[] = ["hold", "load", "create", "dispose"];
