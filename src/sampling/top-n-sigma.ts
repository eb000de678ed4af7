// Top-n-sigma: keeps the tokens that stand out from the noise of the logits, measured by their standard deviation.
import { exponentAbove, powerOfTwo } from "./exact-math.ts";
import { LARGEST_F32 } from "./logits.ts";

/**
 * Rules out every token with logit < largest - n * sigma, sigma being the standard deviation of the finite logits: tokens
 * at -Infinity, ruled out before, count neither in the mean nor in the spread. A prefix of the order by logit, with all
 * ties. It works on logits before temperature, so the tokens that stay do not depend on the temperature.
 *
 * Source: Tang, Liu, Xu, Huang, "Top-nσ: Not all logits are you need" (2024), algorithm 1.
 *
 * @param logits changed in place, [vocabSize]
 * @param largest the largest of them, finite
 */
export function keepTopNSigma(logits: Float32Array, largest: number, n: number): void {
  const limit = Math.fround(Math.fround(n) * deviationOf(logits, largest));
  for (let token = 0; token < logits.length; token++) {
    if (Math.fround(largest - logits[token]!) > limit) logits[token] = -Infinity;
  }
}

const DISTANCE_BITS = 16; // squares fit 32 bits, and the sums of 2^21 of them a double
const ROOT_BITS = 8; // bits of the root beyond those of the distances: 24 in all, as an f32 has

/**
 * Population standard deviation, an f32. Distances from the largest logit are counted in 2^-16 of their range, so that sums
 * are integers and do not depend on the order.
 */
function deviationOf(logits: Float32Array, largest: number): number {
  const distanceOf = (logit: number): number => Math.min(Math.fround(largest - logit), LARGEST_F32);
  let furthest = 0;
  for (let token = 0; token < logits.length; token++) {
    const logit = logits[token]!;
    if (logit > -Infinity) furthest = Math.max(furthest, distanceOf(logit));
  }
  if (furthest === 0) return 0;
  const unitExponent = exponentAbove(furthest) - DISTANCE_BITS;
  const scale = powerOfTwo(-unitExponent);
  let count = 0;
  let sum = 0;
  let sumOfSquares = 0;
  for (let token = 0; token < logits.length; token++) {
    const logit = logits[token]!;
    if (logit === -Infinity) continue;
    const units = Math.floor(distanceOf(logit) * scale);
    count++;
    sum += units;
    sumOfSquares += units * units;
  }
  const variance = BigInt(count) * BigInt(sumOfSquares) - BigInt(sum) ** 2n; // times count^2
  const scaled = (variance << BigInt(2 * ROOT_BITS)) / BigInt(count) ** 2n; // below 2^46: its root is exact when rounded down
  return Math.fround(Math.floor(Math.sqrt(Number(scaled))) * powerOfTwo(unitExponent - ROOT_BITS));
}
