// Log-probabilities of raw logits: natural log-softmax over the whole vocabulary.
import { naturalLog } from "./exact-math.ts";
import { distanceOf, MAX_DISTANCE, WEIGHT_ONE, weightOf } from "./fixed-point.ts";
import { checkedLargest } from "./logits.ts";

export interface TokenLogprob {
  readonly token: number;
  readonly logprob: number;
}

/** What the model thought of a token that was given, such as one of the prompt. */
export interface RankedLogprob {
  readonly logprob: number;
  /** 1 for the best token; ties to the lower id. */
  readonly rank: number;
  /** Best first, ties to the lower id; the given token is in it only by its own rank. */
  readonly top: readonly TokenLogprob[];
}

/** Stands for "practically impossible" on the wire, where -Infinity would become null. */
const LEAST_LOGPROB = -9999;

/**
 * The logprob and rank of the token that really followed, and the `count` best ones.
 *
 * @param logits raw, [vocabSize]; not changed
 * @throws EngineError `numeric_fault` for NaN or +Infinity among the logits or no finite one
 */
export function tokenLogprobs(logits: Float32Array, token: number, count: number): RankedLogprob {
  const logSum = logSumExp(logits, checkedLargest(logits));
  return {
    logprob: logprobOf(logits[token]!, logSum),
    rank: rankOf(logits, token),
    top: topLogprobs(logits, count, logSum),
  };
}

/**
 * log(sum of e^logit), [vocabSize], within 2^-20. The sum is one of integers, which a GPU finds as well and in any order.
 * @param largest the largest logit
 */
export function logSumExp(logits: Float32Array, largest: number): number {
  let mass = 0;
  for (let token = 0; token < logits.length; token++) {
    const distance = distanceOf(logits[token]!, largest, 1);
    if (distance < MAX_DISTANCE) mass += weightOf(distance);
  }
  return logSumOf(mass, largest);
}

/** The same from the sum of the weights at temperature 1. */
export function logSumOf(mass: number, largest: number): number {
  return largest + naturalLog(mass / WEIGHT_ONE);
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

function rankOf(logits: Float32Array, token: number): number {
  const logit = logits[token]!;
  let rank = 1;
  for (let other = 0; other < logits.length; other++) {
    if (logits[other]! > logit || (logits[other] === logit && other < token)) rank++;
  }
  return rank;
}
