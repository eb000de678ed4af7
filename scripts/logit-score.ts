// How far logits are from golden ones: pure functions over rows of logits and the golden top entries of each row.
import { EngineError } from "../src/base/errors.ts";

/** The best tokens of one position with their natural-log probabilities over the whole vocabulary, best first. */
export type GoldenTop = readonly (readonly [token: number, logprob: number])[];

export interface LogitScore {
  readonly positions: number;
  /** Positions whose best token is the golden one. */
  readonly top1: number;
  /** Mean and largest |logprob - golden| in nats, over the golden entries above FLOOR. */
  readonly meanAbs: number;
  readonly maxAbs: number;
  /** Mean KL(golden || ours) in nats, over the golden top entries plus one bucket for all other tokens. */
  readonly kl: number;
}

/** Below this logprob an entry has no say in what is generated. */
const FLOOR = -8;

/**
 * @param rows one row of logits for each position, [vocabSize]
 * @throws EngineError `numeric_fault` when a logit is not a number
 */
export function scoreLogits(rows: readonly Float32Array[], goldens: readonly GoldenTop[]): LogitScore {
  if (rows.length !== goldens.length)
    throw new RangeError(`${rows.length} rows for ${goldens.length} golden positions`);
  let [top1, sum, count, maxAbs, kl] = [0, 0, 0, 0, 0];
  rows.forEach((row, position) => {
    const golden = goldens[position]!;
    const { best, logSumExp } = summarize(row, position);
    if (best === golden[0]?.[0]) top1++;
    for (const [token, logprob] of golden) {
      if (logprob <= FLOOR) continue;
      const distance = Math.abs(row[token]! - logSumExp - logprob);
      sum += distance;
      count++;
      maxAbs = Math.max(maxAbs, distance);
    }
    kl += divergence(row, logSumExp, golden);
  });
  return { positions: rows.length, top1, meanAbs: sum / count, maxAbs, kl: kl / rows.length };
}

/** The worse of two scores, figure by figure. */
export function worseScore(a: LogitScore, b: LogitScore): LogitScore {
  return {
    positions: Math.min(a.positions, b.positions),
    top1: Math.min(a.top1, b.top1),
    meanAbs: Math.max(a.meanAbs, b.meanAbs),
    maxAbs: Math.max(a.maxAbs, b.maxAbs),
    kl: Math.max(a.kl, b.kl),
  };
}

function summarize(row: Float32Array, position: number): { best: number; logSumExp: number } {
  let best = 0;
  for (let token = 0; token < row.length; token++) {
    if (!Number.isFinite(row[token]))
      throw new EngineError("numeric_fault", `Logit ${token} of position ${position} is ${row[token]}.`);
    if (row[token]! > row[best]!) best = token;
  }
  let sum = 0;
  for (const logit of row) sum += Math.exp(logit - row[best]!);
  return { best, logSumExp: row[best]! + Math.log(sum) };
}

function divergence(row: Float32Array, logSumExp: number, golden: GoldenTop): number {
  let [kl, goldenRest, rest] = [0, 1, 1];
  for (const [token, logprob] of golden) {
    const ours = row[token]! - logSumExp;
    kl += Math.exp(logprob) * (logprob - ours);
    goldenRest -= Math.exp(logprob);
    rest -= Math.exp(ours);
  }
  // The goldens are rounded: a bucket that should be tiny may come out as nothing, and has no say then.
  const bucket = goldenRest > 0 && rest > 0 ? goldenRest * Math.log(goldenRest / rest) : 0;
  return kl + bucket;
}
