// Candidates for the draw, and the filters that cut their tail. All filters keep a prefix of one order: smaller distance
// from the best logit first, then the lower id. The cut is found by counting (radix selection); nothing is sorted.
import { MAX_DISTANCE, SCORE_ONE, weightOf } from "./fixed-point.ts";

/** The tokens still in play, by rising id. `length` of the arrays' entries are in use. */
export interface Candidates {
  readonly tokens: Int32Array;
  /** (best logit - logit) / temperature, Q24, below MAX_DISTANCE. */
  readonly distances: Int32Array;
  length: number;
  /** Index of the first token with the best logit. */
  best: number;
}

export function createCandidates(vocabSize: number): Candidates {
  return { tokens: new Int32Array(vocabSize), distances: new Int32Array(vocabSize), length: 0, best: 0 };
}

/** 1 / temperature as an f32, kept finite so that 0 times it is 0. */
export function inverseTemperature(temperature: number): number {
  return Math.min(Math.fround(1 / temperature), LARGEST);
}
const LARGEST = 3.4028234663852886e38; // largest f32

/**
 * Fills `into` with the tokens within MAX_DISTANCE of the best one. Each step is one f32 operation (subtract,
 * multiply), a scaling by a power of two and a truncation, so that a GPU computes the same integers.
 *
 * @param max the largest logit, finite
 * @param factor 1 / temperature
 */
export function gatherCandidates(into: Candidates, logits: Float32Array, max: number, factor: number): void {
  const limit = MAX_DISTANCE / SCORE_ONE;
  let length = 0;
  let best = -1;
  for (let token = 0; token < logits.length; token++) {
    const distance = Math.fround(Math.fround(max - logits[token]!) * factor);
    if (!(distance < limit)) continue;
    if (best < 0 && logits[token] === max) best = length;
    into.tokens[length] = token;
    into.distances[length] = distance * SCORE_ONE;
    length++;
  }
  into.length = length;
  into.best = best;
}

/** Keeps the best `count` candidates. */
export function keepTopK(candidates: Candidates, count: number): void {
  if (count < candidates.length) cutWhere(candidates, () => 1, count);
}

/** Keeps the fewest of the best candidates whose mass reaches `share` of the whole; at least one. */
export function keepTopP(candidates: Candidates, share: number): void {
  let total = 0; // integers, at most 2^30 * vocabSize: exact
  for (let i = 0; i < candidates.length; i++) total += weightOf(candidates.distances[i]!);
  cutWhere(candidates, weightOf, Math.max(share * total, 1));
}

/** Keeps the candidates at least `share` times as likely as the best; `maxDistance` = -ln(share), Q24. */
export function keepMinP(candidates: Candidates, maxDistance: number): void {
  keepWithin(candidates, maxDistance, candidates.length);
}

const DIGIT_BITS = 10;
const RADIX = 1 << DIGIT_BITS;
const bucketMass = new Float64Array(RADIX);

/**
 * Keeps the shortest prefix of the order whose measure reaches `needed`. Three digits of ten bits from the top find the
 * distance at which it does; candidates there have equal measures, so the rest is a division.
 */
function cutWhere(candidates: Candidates, measure: (distance: number) => number, needed: number): void {
  let prefix = 0; // the digits found, as the high bits of the distance
  let reached = 0; // measure of everything below the prefix
  for (let shift = 2 * DIGIT_BITS; shift >= 0; shift -= DIGIT_BITS) {
    bucketMass.fill(0);
    for (let i = 0; i < candidates.length; i++) {
      const distance = candidates.distances[i]!;
      if (distance >>> (shift + DIGIT_BITS) !== prefix) continue;
      const bucket = (distance >>> shift) & (RADIX - 1);
      bucketMass[bucket] = bucketMass[bucket]! + measure(distance);
    }
    let digit = 0;
    let last = 0; // the last bucket that holds anything: where to stop if the sum falls short
    for (; digit < RADIX; digit++) {
      if (bucketMass[digit]! === 0) continue;
      last = digit;
      if (reached + bucketMass[digit]! >= needed) break;
      reached += bucketMass[digit]!;
    }
    if (digit === RADIX) reached -= bucketMass[last]!;
    prefix = prefix * RADIX + last;
  }
  keepWithin(candidates, prefix, Math.max(1, Math.ceil((needed - reached) / measure(prefix))));
}

/** Keeps candidates below `distance`, and the first `ties` of those at it. */
function keepWithin(candidates: Candidates, distance: number, ties: number): void {
  let kept = 0;
  let tiesLeft = ties;
  let best = -1;
  for (let i = 0; i < candidates.length; i++) {
    const own = candidates.distances[i]!;
    if (own > distance || (own === distance && tiesLeft-- <= 0)) continue;
    if (i === candidates.best) best = kept;
    candidates.tokens[kept] = candidates.tokens[i]!;
    candidates.distances[kept] = own;
    kept++;
  }
  candidates.length = kept;
  candidates.best = best;
}
