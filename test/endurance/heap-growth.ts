// How fast the heap grows: the slope of a line through samples of it.

export interface HeapSample {
  /** Calls made so far. */
  readonly calls: number;
  /** After a collection. */
  readonly bytes: number;
}

/** By least squares, in MB per 1,000 calls; NaN for less than two samples. */
export function growthPerThousand(samples: readonly HeapSample[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const calls = mean(samples.map((sample) => sample.calls));
  const bytes = mean(samples.map((sample) => sample.bytes));
  let covariance = 0;
  let variance = 0;
  for (const sample of samples) {
    covariance += (sample.calls - calls) * (sample.bytes - bytes);
    variance += (sample.calls - calls) ** 2;
  }
  return (covariance / variance / 1e6) * 1000;
}
