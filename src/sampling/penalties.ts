// Steps that change logits in place: bias and penalties. Each touches only the tokens it names, by one f32 operation at a
// time, and leaves a finite logit finite.
import { setLogit } from "./logits.ts";

/** Adds the bias of each token. Ids outside the vocabulary are no tokens and change nothing. [vocabSize] */
export function addLogitBias(logits: Float32Array, bias: ReadonlyMap<number, number>): void {
  for (const [token, value] of bias) {
    if (token < logits.length) setLogit(logits, token, logits[token]! + Math.fround(value));
  }
}

/**
 * logit -= count * frequency + (count > 0) * presence, `count` = times the token was sampled in this answer; the prompt
 * does not count. Source: OpenAI API reference, frequency_penalty.
 *
 * @param counts all zero, [vocabSize]; zero again afterwards
 */
export function applyPenalties(
  logits: Float32Array,
  sampled: ArrayLike<number>,
  frequency: number,
  presence: number,
  counts: Uint32Array,
): void {
  const perOccurrence = Math.fround(frequency);
  const once = Math.fround(presence);
  for (let i = 0; i < sampled.length; i++) counts[sampled[i]!]!++;
  for (let i = 0; i < sampled.length; i++) {
    const token = sampled[i]!;
    const count = counts[token]!;
    if (count === 0) continue; // done at an earlier occurrence
    setLogit(logits, token, logits[token]! - Math.fround(count * perOccurrence));
    setLogit(logits, token, logits[token]! - once);
    counts[token] = 0;
  }
}

/**
 * Once for each token of the prompt or the answer: a positive logit is divided by the penalty, a negative one multiplied.
 * Source: Keskar et al., "CTRL" (2019), section 4.1, with the sign rule of transformers' RepetitionPenaltyLogitsProcessor.
 * The division is a product with the rounded inverse, since a GPU's division is not exact.
 *
 * @param counts all zero, [vocabSize]; zero again afterwards
 */
export function applyRepetitionPenalty(
  logits: Float32Array,
  prompt: ArrayLike<number>,
  sampled: ArrayLike<number>,
  penalty: number,
  counts: Uint32Array,
): void {
  const factor = Math.fround(penalty);
  const inverse = Math.fround(1 / penalty);
  for (const tokens of [prompt, sampled]) {
    for (let i = 0; i < tokens.length; i++) {
      const token = tokens[i]!;
      if (counts[token] !== 0) continue;
      counts[token] = 1;
      const logit = logits[token]!;
      setLogit(logits, token, logit * (logit > 0 ? inverse : factor));
    }
  }
  for (const tokens of [prompt, sampled]) for (let i = 0; i < tokens.length; i++) counts[tokens[i]!] = 0;
}
