// Probabilities as the page shows them: in percent, and as one of a few bands that a reader can tell apart.

/** From the surest band to the least sure one; each begins at `least`. styles/tokens.css has their colours. */
export const BANDS = [
  { least: 0.9, label: "90% and up" },
  { least: 0.6, label: "60–90%" },
  { least: 0.3, label: "30–60%" },
  { least: 0.1, label: "10–30%" },
  { least: 0.01, label: "1–10%" },
  { least: 0, label: "below 1%" },
] as const;

/** Index in BANDS. @param logprob natural logarithm */
export function bandOf(logprob: number): number {
  const probability = Math.exp(logprob);
  return BANDS.findIndex(({ least }) => probability >= least);
}

/** Never rounded to certainty or to nothing. @param logprob natural logarithm */
export function percentOf(logprob: number): string {
  return formatPercent(Math.exp(logprob));
}

/** @param probability 0 to 1 */
export function formatPercent(probability: number): string {
  if (probability >= 1) return "100%";
  if (probability > 0.999) return ">99.9%";
  if (probability >= 0.01) return `${(probability * 100).toFixed(1)}%`;
  return probability >= 0.0001 ? `${(probability * 100).toFixed(2)}%` : "<0.01%";
}
