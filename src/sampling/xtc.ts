// XTC, "exclude top choices": at times removes all likely tokens but the least likely of them, for the sake of variety.
import { type Candidates, retain, totalWeight } from "./candidates.ts";
import { weightOf } from "./fixed-point.ts";
import { keyOfSeed, PURPOSE, philox4x32 } from "./rng.ts";

/**
 * Where two or more tokens have a probability of at least `threshold`, removes all of these but the last in the candidates'
 * order (of equally likely ones the highest id stays). What is left is a suffix of the order, no prefix. Above 1/2 there
 * are never two.
 *
 * Probabilities are those of the candidates that earlier filters left. No token is exempt: that is the author's definition,
 * and llama.cpp's. (text-generation-webui's own version does nothing where it would remove a newline or the end token,
 * which favours short answers: such tokens can only gain.)
 *
 * Source: p-e-w, "Exclude Top Choices (XTC)", text-generation-webui pull request 6335 (2024).
 */
export function excludeTopChoices(candidates: Candidates, threshold: number): void {
  const { distances, length } = candidates;
  const least = threshold * totalWeight(candidates);
  let last = candidates.best; // of those that reach the threshold, the last in the order
  for (let i = 0; i < length; i++) {
    if (weightOf(distances[i]!) >= least && distances[i]! >= distances[last]!) last = i;
  }
  if (last === candidates.best) return;
  const border = distances[last]!;
  retain(candidates, (distance, i) => distance > border || (distance === border && i >= last));
}

/** The coin that decides whether XTC acts on a token of the answer: true with `probability`; 0 is never, 1 always. */
export function tossXtcCoin(probability: number, seed: bigint, index: number, choice: number): boolean {
  const [bits] = philox4x32([0, index, choice, PURPOSE.xtc], keyOfSeed(seed));
  return bits < probability * 2 ** 32;
}
