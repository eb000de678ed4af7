// The memory that the models of one engine share, beside their weights: keys, values and scratch.

/** 1 GiB. */
export const DEFAULT_MEMORY_BUDGET = 2 ** 30;

export interface MemoryBudget {
  readonly totalBytes: number;
  readonly freeBytes: number;
  /** Takes bytes that are free; what comes back gives them up again, once. */
  take(bytes: number): () => void;
}

export function createMemoryBudget(totalBytes: number): MemoryBudget {
  let freeBytes = totalBytes;
  return {
    totalBytes,
    get freeBytes() {
      return freeBytes;
    },
    take(bytes) {
      freeBytes -= bytes;
      let given = false;
      return () => {
        if (given) return;
        given = true;
        freeBytes += bytes;
      };
    },
  };
}
