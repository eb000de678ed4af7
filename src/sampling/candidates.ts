// Candidates for the draw: the tokens still in play, and the one order that cuts follow: smaller distance from the best
// logit first, then the lower id.
import { distanceOf, MAX_DISTANCE, weightOf } from "./fixed-point.ts";
import { LARGEST_F32 } from "./logits.ts";

/** The tokens still in play, by rising id; never none. `length` of the arrays' entries are in use. */
export interface Candidates {
  readonly tokens: Int32Array;
  /** (best logit in play - logit) / temperature, Q24, below MAX_DISTANCE. */
  readonly distances: Int32Array;
  length: number;
  /** Index of the first token at distance 0: the first of the order. */
  best: number;
}

export function createCandidates(vocabSize: number): Candidates {
  return { tokens: new Int32Array(vocabSize), distances: new Int32Array(vocabSize), length: 0, best: 0 };
}

/** 1 / temperature as an f32, kept finite so that 0 times it is 0. */
export function inverseTemperature(temperature: number): number {
  return Math.min(Math.fround(1 / temperature), LARGEST_F32);
}

/**
 * Fills `into` with the tokens within MAX_DISTANCE of the best one.
 *
 * @param largest the largest logit, finite
 * @param factor 1 / temperature
 */
export function gatherCandidates(into: Candidates, logits: Float32Array, largest: number, factor: number): void {
  let length = 0;
  let best = -1;
  for (let token = 0; token < logits.length; token++) {
    const distance = distanceOf(logits[token]!, largest, factor);
    if (distance === MAX_DISTANCE) continue;
    into.tokens[length] = token;
    into.distances[length] = distance;
    if (best < 0 && distance === 0) best = length;
    length++;
  }
  into.length = length;
  into.best = best;
}

/** Sum of the candidates' weights: an integer, at most 2^30 * vocabSize, so exact. */
export function totalWeight({ distances, length }: Candidates): number {
  let total = 0;
  for (let i = 0; i < length; i++) total += weightOf(distances[i]!);
  return total;
}

/**
 * Drops the candidates for which `keeps` is false; it is asked once for each, by rising id, and keeps at least one. Where
 * the best one goes, distances are counted from the best that stays, since weights lose their digits far from it.
 */
export function retain(candidates: Candidates, keeps: (distance: number, index: number) => boolean): void {
  const { tokens, distances } = candidates;
  let kept = 0;
  let best = 0;
  for (let i = 0; i < candidates.length; i++) {
    const distance = distances[i]!;
    if (!keeps(distance, i)) continue;
    tokens[kept] = tokens[i]!;
    distances[kept] = distance;
    if (distance < distances[best]!) best = kept;
    kept++;
  }
  const nearest = distances[best]!;
  if (nearest > 0) for (let i = 0; i < kept; i++) distances[i]! -= nearest;
  candidates.length = kept;
  candidates.best = best;
}
