// How exact a model's products have to be.
import type { AdapterFacts } from "../gpu/device.ts";

/** `exact`: to the rounding of float32 sums; `fast`: products may be of halves, or of activations in bytes. */
export const PRECISIONS = ["exact", "fast"] as const;
export type Precision = (typeof PRECISIONS)[number];
export const DEFAULT_PRECISION: Precision = "exact";

export function isPrecision(value: unknown): value is Precision {
  return PRECISIONS.some((precision) => precision === value);
}

/** What decides which variants of kernels there are: the adapter, and what is asked of them on it. */
export interface KernelFacts extends AdapterFacts {
  /** Absent: exact. */
  readonly precision?: Precision | undefined;
}
