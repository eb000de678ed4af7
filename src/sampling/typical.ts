// Locally typical sampling: keeps the tokens whose surprise is nearest to the expected one.
import { type Candidates, totalWeight } from "./candidates.ts";
import { keepFewest } from "./filters.ts";
import { mulHigh, weightOf } from "./fixed-point.ts";

/**
 * Keeps the fewest tokens, those with |-ln p - entropy| smallest, whose mass reaches `share` of the whole; at least one,
 * ties by the lower id. A window of the candidates' order, not a prefix: the likeliest token goes where it is too
 * predictable.
 *
 * With distances d from the best token, -ln p = d + ln Z and the entropy is E[d] + ln Z, so the difference is |d - E[d]|:
 * no logarithm is taken.
 *
 * Source: Meister, Pimentel, Wiher, Cotterell, "Locally typical sampling" (2022), algorithm as in transformers'
 * TypicalLogitsWarper, which keeps all tokens that tie at the border.
 */
export function keepTypical(candidates: Candidates, share: number): void {
  const total = totalWeight(candidates);
  const mean = meanDistance(candidates, total);
  keepFewest(candidates, (distance) => Math.abs(distance - mean), weightOf, share * total);
}

/** The expected distance, Q24, rounded down. Products of 64 bits are summed by halves, so exactly and in any order. */
function meanDistance({ distances, length }: Candidates, total: number): number {
  let high = 0;
  let low = 0;
  for (let i = 0; i < length; i++) {
    const distance = distances[i]!;
    const weight = weightOf(distance);
    high += mulHigh(weight, distance);
    low += Math.imul(weight, distance) >>> 0;
  }
  return Number(((BigInt(high) << 32n) + BigInt(low)) / BigInt(total));
}
