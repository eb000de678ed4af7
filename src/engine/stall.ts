// What takes so long that a person may think it hangs is told of, once.
import type { StepBatch } from "../runtime/runtime.ts";

const STALL_MS = 20_000;

export interface Stall {
  /** `load`: the model is loaded anew after a loss, while requests wait for it. */
  readonly stage: StepBatch["stage"] | "load";
  readonly waitedMs: number;
}

/** Tells of `stage` when 20 s have passed; what comes back calls that off. */
export function watchStall(stage: Stall["stage"], onStall: (stall: Stall) => void): () => void {
  const start = performance.now();
  const timer = setTimeout(() => onStall({ stage, waitedMs: performance.now() - start }), STALL_MS);
  return () => clearTimeout(timer);
}
