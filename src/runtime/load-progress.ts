// What a load tells of itself. Bytes come and operations are compiled at the same time; a person watches one after the other.
import type { StreamTimes } from "../model/weight-stream.ts";

/** Bytes of weights on the GPU; when all are there, counted by the same names, the operations that are compiled. */
export interface LoadProgress {
  readonly phase: "upload" | "compile";
  readonly bytes: number;
  readonly total: number;
}

/** Milliseconds. Compiling goes on beside the rest. */
export interface LoadTimes extends StreamTimes {
  /** From the first pipeline to the last. */
  readonly compileMs: number;
  readonly readyMs: number;
}

/** @param total file bytes to upload, and operations to compile */
export function createLoadProgress(
  total: { readonly bytes: number; readonly operations: number },
  report: (progress: LoadProgress) => void = () => {},
) {
  let compiled = 0;
  let uploading = true;
  const reportCompiled = () => report({ phase: "compile", bytes: compiled, total: total.operations });
  return {
    uploaded(bytes: number): void {
      report({ phase: "upload", bytes, total: total.bytes });
      if (bytes < total.bytes) return;
      uploading = false;
      reportCompiled();
    },
    compiledOne(): void {
      compiled++;
      if (!uploading) reportCompiled();
    },
  };
}
