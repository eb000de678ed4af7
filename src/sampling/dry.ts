// DRY, "don't repeat yourself": lowers the tokens that would go on with a repetition of what was written before.
import { LARGEST_F32, setLogit } from "./logits.ts";
import type { DryOptions } from "./plan.ts";

/**
 * For each token that followed an earlier occurrence of the history's end, with L the length of the longest such match:
 * logit -= multiplier * base^(L - allowedLength), if L >= allowedLength. Prompt and answer are one history. A match ends at
 * a breaker, and a breaker is never lowered. The author's code stops matches at 50 tokens lest the power overflow; here the
 * power stops at the largest f32 instead.
 *
 * Source: p-e-w, "DRY: A modern repetition penalty that reliably prevents looping", text-generation-webui pull request 5677
 * (2024). Time and memory are linear in the window.
 *
 * @param logits changed in place, [vocabSize]
 * @param longest all zero, [vocabSize]; zero again afterwards
 */
export function applyDry(
  logits: Float32Array,
  prompt: ArrayLike<number>,
  sampled: ArrayLike<number>,
  { multiplier, base, allowedLength, lastTokens, breakers }: DryOptions,
  longest: Uint32Array,
): void {
  const latest = latestFirst(prompt, sampled, lastTokens ?? Infinity);
  let followed = 0; // tokens since the last breaker: no match is longer
  while (followed < latest.length && !breakers.has(latest[followed]!)) followed++;
  if (followed === 0) return;

  const matches = prefixMatches(latest);
  let longestMatch = 0;
  for (let i = 1; i < latest.length; i++) {
    const next = latest[i - 1]!;
    const match = Math.min(matches[i]!, followed);
    if (match <= longest[next]! || breakers.has(next)) continue;
    longest[next] = match;
    longestMatch = Math.max(longestMatch, match);
  }
  const penalties = penaltiesUpTo(longestMatch - allowedLength, multiplier, base);
  for (let i = 0; i < latest.length; i++) {
    const token = latest[i]!;
    const match = longest[token]!;
    longest[token] = 0;
    if (match === 0 || match < allowedLength) continue;
    setLogit(logits, token, Math.fround(logits[token]! - penalties[match - allowedLength]!));
  }
}

/** The last `count` tokens of prompt and answer, the latest one first. */
function latestFirst(prompt: ArrayLike<number>, sampled: ArrayLike<number>, count: number): Int32Array {
  const latest = new Int32Array(Math.min(count, prompt.length + sampled.length));
  for (let i = 0; i < latest.length; i++) {
    const place = sampled.length - 1 - i;
    latest[i] = place >= 0 ? sampled[place]! : prompt[prompt.length + place]!;
  }
  return latest;
}

/**
 * For each i > 0, how many tokens from i on equal those from 0 on (Z function; Gusfield, "Algorithms on strings, trees, and
 * sequences", 1997, section 1.4). Each comparison that succeeds moves `end`, so there are at most two a token.
 */
function prefixMatches(tokens: Int32Array): Int32Array {
  const matches = new Int32Array(tokens.length);
  let start = 0; // tokens[start, end) is the match that reaches furthest
  let end = 0;
  for (let i = 1; i < tokens.length; i++) {
    let match = i < end ? Math.min(matches[i - start]!, end - i) : 0;
    while (i + match < tokens.length && tokens[match] === tokens[i + match]) match++;
    matches[i] = match;
    if (i + match > end) {
      start = i;
      end = i + match;
    }
  }
  return matches;
}

/** multiplier * base^k for k from 0 to `exponent`, each step one f32 product, held at the largest f32. */
function penaltiesUpTo(exponent: number, multiplier: number, base: number): Float32Array {
  const held = (value: number): number => Math.min(Math.fround(value), LARGEST_F32);
  const penalties = new Float32Array(Math.max(exponent + 1, 0));
  let power = 1;
  for (let k = 0; k < penalties.length; k++) {
    penalties[k] = held(held(multiplier) * power);
    power = held(power * held(base));
  }
  return penalties;
}
