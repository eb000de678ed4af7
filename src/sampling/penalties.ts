// Steps that change logits in place: bias and penalties. Each touches only the tokens it names.

const LARGEST = 3.4028234663852886e38; // largest f32: a logit stays finite

/** Adds the bias of each token. Ids outside the vocabulary are no tokens and change nothing. [vocabSize] */
export function addLogitBias(logits: Float32Array, bias: ReadonlyMap<number, number>): void {
  for (const [token, value] of bias) if (token < logits.length) logits[token] = logits[token]! + value;
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
  for (let i = 0; i < sampled.length; i++) counts[sampled[i]!]!++;
  for (let i = 0; i < sampled.length; i++) {
    const token = sampled[i]!;
    const count = counts[token]!;
    if (count === 0) continue; // done at an earlier occurrence
    logits[token] = logits[token]! - count * frequency - presence;
    counts[token] = 0;
  }
}

/**
 * Once for each token of the prompt or the answer: a positive logit is divided by the penalty, a negative one multiplied.
 * Source: Keskar et al., "CTRL" (2019), section 4.1, with the sign rule of transformers' RepetitionPenaltyLogitsProcessor.
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
  for (const tokens of [prompt, sampled]) {
    for (let i = 0; i < tokens.length; i++) {
      const token = tokens[i]!;
      if (counts[token] !== 0) continue;
      counts[token] = 1;
      const logit = logits[token]!;
      logits[token] = logit > 0 ? Math.min(logit / penalty, LARGEST) : logit * penalty;
    }
  }
  for (const tokens of [prompt, sampled]) for (let i = 0; i < tokens.length; i++) counts[tokens[i]!] = 0;
}
