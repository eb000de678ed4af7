// What the engine asks of whoever brings the arithmetic: something opened first, on which a runtime is then built per model.
import type { Gguf } from "../gguf/gguf.ts";
import type { KvCacheType } from "../kernels/kv-format.ts";
import type { Precision } from "../kernels/precision.ts";
import type { ModelSpec } from "../model/spec.ts";
import type { LoadProgress } from "../runtime/load-progress.ts";
import type { Runtime } from "../runtime/runtime.ts";

export interface MemoryWish {
  readonly kvCache: KvCacheType;
  /** Tokens a sequence may hold; absent: what fits, at most the trained context. */
  readonly contextLength?: number | undefined;
  /** For keys, values and scratch together. */
  readonly availableBytes: number;
  /** Tokens of a prompt in one step; absent: what suits the adapter. */
  readonly prefillRows?: number;
}

/** A runtime that would fit. */
export interface RuntimePlan {
  /** Keys, values and scratch. */
  readonly bytes: number;
  /** Fetches the weights. @throws EngineError what the loading meets */
  create(load: RuntimeLoad): Promise<Runtime>;
}

/** `auto`: kernels are what was best on this adapter, which is measured between requests and kept; `off`: seeds, unmeasured. */
export type TuneOption = "auto" | "off";

export interface RuntimeLoad {
  readonly gguf: Gguf;
  readonly precision: Precision;
  readonly tune: TuneOption;
  readonly onProgress: (progress: LoadProgress) => void;
  readonly signal: AbortSignal;
}

/** A device that is open, for all models of an engine; after a loss another host is opened. */
export interface RuntimeHost {
  /** For people: which adapter does the arithmetic. */
  readonly adapter: string;
  /** WebGPU features in use. */
  readonly features: readonly string[];
  /** Before anything but the header is fetched. @throws EngineError `out_of_memory`, with the numbers */
  plan(spec: ModelSpec, wish: MemoryWish): RuntimePlan;
  /** Frees the device, after all runtimes. */
  dispose(): void;
}

/**
 * Opens a host; called before anything is downloaded, and again after a loss.
 * @throws EngineError `webgpu_unavailable`
 */
export type OpenRuntimeHost = () => Promise<RuntimeHost>;
