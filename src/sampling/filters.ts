// The filters that cut a tail of the candidates' order, and the cut itself. It is found by counting (radix selection);
// nothing is sorted.
import { type Candidates, retain, totalWeight } from "./candidates.ts";
import { naturalLog } from "./exact-math.ts";
import { MAX_DISTANCE, mulHigh, SCORE_ONE, weightOf } from "./fixed-point.ts";

/** Keeps the best `count` candidates. */
export function keepTopK(candidates: Candidates, count: number): void {
  if (count < candidates.length) keepFewest(candidates, byDistance, one, count);
}

/** Keeps the fewest of the best candidates whose mass reaches `share` of the whole; at least one. */
export function keepTopP(candidates: Candidates, share: number): void {
  keepFewest(candidates, byDistance, weightOf, massOf(shareQ32(share), totalWeight(candidates)));
}

/** A share below 1 as a u32, Q32. */
export function shareQ32(share: number): number {
  return Math.min(Math.round(share * 2 ** 32), 2 ** 32 - 1);
}

/** So much of a mass below 2^53, rounded down: by halves, so exactly, as a GPU does it. */
function massOf(share: number, total: number): number {
  const high = Math.floor(total / 2 ** 32);
  return high * share + mulHigh(total >>> 0, share);
}

/** Keeps the candidates at least `share` times as likely as the best; `maxDistance` = -ln(share), Q24. */
export function keepMinP(candidates: Candidates, maxDistance: number): void {
  retain(candidates, (distance) => distance <= maxDistance);
}

/** The furthest that a token may be to be `share` times as likely as the best: -ln(share), Q24. */
export function minPDistance(share: number): number {
  return Math.min(Math.floor(-naturalLog(Math.min(share, 1)) * SCORE_ONE), MAX_DISTANCE);
}

const byDistance = (distance: number): number => distance;
const one = (): number => 1;

const DIGIT_BITS = 10;
const RADIX = 1 << DIGIT_BITS;
const bucketMass = new Float64Array(RADIX);

/**
 * Keeps the fewest candidates whose measure reaches `needed`, at least one: those of smaller key first, ties by the lower
 * id. Three digits of ten bits from the top find the key at which it is reached; those at that key are counted one by one.
 *
 * @param keyOf of a candidate's distance: an integer below 2^30
 * @param measure of a candidate's distance: an integer, not 0 for all
 */
export function keepFewest(
  candidates: Candidates,
  keyOf: (distance: number) => number,
  measure: (distance: number) => number,
  needed: number,
): void {
  const { distances, length } = candidates;
  const goal = Math.max(needed, 1);
  let prefix = 0; // the digits found, as the high bits of the key
  let reached = 0; // measure of everything below the prefix
  for (let shift = 2 * DIGIT_BITS; shift >= 0; shift -= DIGIT_BITS) {
    bucketMass.fill(0);
    for (let i = 0; i < length; i++) {
      const distance = distances[i]!;
      const key = keyOf(distance);
      if (key >>> (shift + DIGIT_BITS) !== prefix) continue;
      const bucket = (key >>> shift) & (RADIX - 1);
      bucketMass[bucket] = bucketMass[bucket]! + measure(distance);
    }
    let digit = 0;
    let last = 0; // the last bucket that holds anything: where to stop if the sum falls short
    for (; digit < RADIX; digit++) {
      if (bucketMass[digit]! === 0) continue;
      last = digit;
      if (reached + bucketMass[digit]! >= goal) break;
      reached += bucketMass[digit]!;
    }
    if (digit === RADIX) reached -= bucketMass[last]!;
    prefix = prefix * RADIX + last;
  }
  retain(candidates, (distance) => {
    const key = keyOf(distance);
    if (key !== prefix) return key < prefix;
    if (reached >= goal) return false;
    reached += measure(distance);
    return true;
  });
}
