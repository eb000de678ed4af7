// Log-probabilities of raw logits: natural log-softmax over the whole vocabulary.
import { exponential, naturalLog } from "./exact-math.ts";

export interface TokenLogprob {
  readonly token: number;
  readonly logprob: number;
}

/** Stands for "practically impossible" on the wire, where -Infinity would become null. */
const LEAST_LOGPROB = -9999;

/** log(sum of e^logit), [vocabSize]. @param max the largest logit */
export function logSumExp(logits: Float32Array, max: number): number {
  let sum = 0;
  for (let token = 0; token < logits.length; token++) sum += exponential(logits[token]! - max);
  return max + naturalLog(sum);
}

export function logprobOf(logit: number, logSum: number): number {
  return Math.max(logit - logSum, LEAST_LOGPROB);
}

/** The `count` best tokens, best first, ties to the lower id. [vocabSize] */
export function topLogprobs(logits: Float32Array, count: number, logSum: number): TokenLogprob[] {
  const best: number[] = []; // tokens, best first
  const wanted = Math.min(count, logits.length);
  if (wanted === 0) return [];
  let floor = -Infinity;
  for (let token = 0; token < logits.length; token++) {
    const logit = logits[token]!;
    if (best.length === wanted && logit <= floor) continue;
    let place = best.length;
    while (place > 0 && logits[best[place - 1]!]! < logit) place--;
    best.splice(place, 0, token);
    if (best.length > wanted) best.pop();
    floor = logits[best.at(-1)!]!;
  }
  return best.map((token) => ({ token, logprob: logprobOf(logits[token]!, logSum) }));
}

export function tokenLogprobs(logits: Float32Array, token: number, count: number) {
  let max = -Infinity;
  for (const logit of logits) max = Math.max(max, logit);
  const logSum = logSumExp(logits, max);
  let rank = 1;
  for (let other = 0; other < logits.length; other++)
    if (logits[other]! > logits[token]! || (logits[other] === logits[token] && other < token)) rank++;
  return { logprob: logprobOf(logits[token]!, logSum), rank, top: topLogprobs(logits, count, logSum) };
}
