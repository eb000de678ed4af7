// The draw: one of the candidates, by Gumbel-max with counter-based noise.
import type { Candidates } from "./candidates.ts";
import { gumbelBound, gumbelNoise, MAX_NOISE } from "./fixed-point.ts";
import { keyOfSeed, PURPOSE, philoxInto } from "./rng.ts";

/**
 * The candidate with the largest -distance + Gumbel noise, which is a draw from the softmax (Gumbel-max: Maddison, Tarlow,
 * Minka, "A* sampling", 2014). A token's noise depends on seed, index, choice and the token alone, never on which others are
 * in play. Integers throughout; ties, of probability 2^-20 or so, go to the lower id.
 */
export function drawGumbelMax(candidates: Candidates, seed: bigint, index: number, choice: number): number {
  const { tokens, distances } = candidates;
  const [key0, key1] = keyOfSeed(seed);
  let block = -1;
  const bitsOf = (token: number): number => {
    if (token >>> 2 !== block) {
      block = token >>> 2;
      philoxInto(lanes, block, index, choice, PURPOSE.draw, key0, key1);
    }
    return lanes[token & 3]!;
  };
  // The likeliest token first: most others then cannot win, which their distance or their leading bits tell cheaply.
  let winner = tokens[candidates.best]!;
  let winningScore = gumbelNoise(bitsOf(winner)) - distances[candidates.best]!;
  for (let i = 0; i < candidates.length; i++) {
    const distance = distances[i]!;
    if (MAX_NOISE - distance < winningScore) continue;
    const token = tokens[i]!;
    const bits = bitsOf(token);
    if (gumbelBound(bits) - distance < winningScore) continue;
    const score = gumbelNoise(bits) - distance;
    if (score > winningScore || (score === winningScore && token < winner)) {
      winner = token;
      winningScore = score;
    }
  }
  return winner;
}
const lanes = new Uint32Array(4);
