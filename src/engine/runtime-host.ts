// What the engine asks of whoever brings the arithmetic: something opened first, on which a runtime is then built per model.
import type { Gguf } from "../gguf/gguf.ts";
import type { ModelSpec } from "../model/spec.ts";
import type { LoadProgress } from "../runtime/gpu-runtime.ts";
import type { Runtime } from "../runtime/runtime.ts";

export interface RuntimeLoad {
  readonly gguf: Gguf;
  readonly spec: ModelSpec;
  /** Tokens a sequence may hold; absent: what the runtime finds sensible, at most the trained context. */
  readonly contextLength?: number;
  readonly onProgress: (progress: LoadProgress) => void;
  readonly signal: AbortSignal;
}

/** A device that is open. It is used for one runtime; after a loss another host is opened. */
export interface RuntimeHost {
  /** For people: which adapter does the arithmetic. */
  readonly adapter: string;
  /** WebGPU features in use. */
  readonly features: readonly string[];
  /** @throws EngineError what the loading meets */
  createRuntime(load: RuntimeLoad): Promise<Runtime>;
  /** Frees the device, after the runtime. */
  dispose(): void;
}

/**
 * Opens a host; called before anything is downloaded, and again after a loss.
 * @throws EngineError `webgpu_unavailable`
 */
export type OpenRuntimeHost = () => Promise<RuntimeHost>;
