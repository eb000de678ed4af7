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

/** One model's part of the budget: as much as its first plan takes, and kept for it while it is loaded anew. */
export interface MemoryShare {
  /** What a plan may take. A model that names no context takes at most half of what is left, so that another one can come. */
  availableBytes(contextLength: number | undefined): number;
  /** At most what is available. */
  take(bytes: number): void;
  giveBack(): void;
}

export function createMemoryShare(budget: MemoryBudget): MemoryShare {
  let taken: { readonly bytes: number; giveBack(): void } | undefined;
  return {
    availableBytes: (contextLength) =>
      taken?.bytes ?? (contextLength === undefined ? Math.floor(budget.freeBytes / 2) : budget.freeBytes),
    take(bytes) {
      taken ??= { bytes, giveBack: budget.take(bytes) };
    },
    giveBack() {
      taken?.giveBack();
      taken = undefined;
    },
  };
}
