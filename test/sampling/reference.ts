// What the sampler should do, a second time: in float64, by plain loops and sorts, as the sources of each step write it.
import type { DryOptions, SamplingOptions } from "../../src/sampling/plan.ts";
import type { TokenHistory } from "../../src/sampling/sampler.ts";

/** The probability of each token, with all steps of the options applied. */
export function referenceDistribution(
  row: ArrayLike<number>,
  options: SamplingOptions,
  history: TokenHistory,
  allows: (token: number) => boolean = () => true,
): number[] {
  const sampled = Array.from(history.sampled);
  const seen = [...Array.from(history.prompt), ...sampled];
  const logits = Array.from(row);
  for (const [token, bias] of options.logitBias) logits[token]! += bias;
  for (const token of new Set(seen)) {
    logits[token]! *= logits[token]! > 0 ? 1 / options.repetitionPenalty : options.repetitionPenalty;
  }
  for (const token of new Set(sampled)) {
    const count = sampled.filter((other) => other === token).length;
    logits[token]! -= count * options.frequencyPenalty + options.presencePenalty;
  }
  if (options.dry) {
    for (const [token, penalty] of referenceDry(seen, options.dry)) logits[token]! -= penalty;
  }
  for (const token of logits.keys()) if (!allows(token)) logits[token] = -Infinity;
  if (options.minTokens && sampled.length < options.minTokens.count) {
    for (const token of options.minTokens.heldBack) logits[token] = -Infinity;
  }
  if (options.topNSigma) {
    const finite = logits.filter((logit) => logit > -Infinity);
    const mean = sum(finite) / finite.length;
    const sigma = Math.sqrt(sum(finite.map((logit) => (logit - mean) ** 2)) / finite.length);
    const least = Math.max(...finite) - options.topNSigma * sigma;
    for (const [token, logit] of logits.entries()) if (logit < least) logits[token] = -Infinity;
  }

  let p = normalized(logits.map((logit) => Math.exp((logit - Math.max(...logits)) / options.temperature)));
  const keep = (tokens: readonly number[]): void => {
    p = normalized(p.map((probability, token) => (tokens.includes(token) ? probability : 0)));
  };
  if (options.topK) keep(likeliestFirst(p).slice(0, options.topK));
  if (options.topP < 1) keep(untilMass(p, likeliestFirst(p), options.topP));
  if (options.minP) {
    const least = options.minP * Math.max(...p);
    keep(likeliestFirst(p).filter((token) => p[token]! >= least));
  }
  if (options.typicalP !== undefined) keep(untilMass(p, mostTypicalFirst(p), options.typicalP));
  if (options.xtc === undefined) return p;
  const { probability, threshold } = options.xtc;
  const tops = likeliestFirst(p).filter((token) => p[token]! >= threshold);
  const excluded = normalized(p.map((own, token) => (tops.slice(0, -1).includes(token) ? 0 : own)));
  return p.map((own, token) => probability * excluded[token]! + (1 - probability) * own);
}

/** The penalty of each token, by the definition: every earlier occurrence of the last token, compared backwards. */
export function referenceDry(history: readonly number[], options: DryOptions): Map<number, number> {
  const { multiplier, base, allowedLength, breakers } = options;
  const tokens = history.slice(Math.max(0, history.length - (options.lastTokens ?? history.length)));
  const longest = new Map<number, number>();
  for (let end = 0; end < tokens.length - 1; end++) {
    let length = 0;
    while (length <= end) {
      const token = tokens[end - length]!;
      if (token !== tokens[tokens.length - 1 - length] || breakers.has(token)) break;
      length++;
    }
    const next = tokens[end + 1]!;
    if (length > 0 && !breakers.has(next)) longest.set(next, Math.max(length, longest.get(next) ?? 0));
  }
  const penalties = [...longest]
    .filter(([, length]) => length >= allowedLength)
    .map(([token, length]) => [token, multiplier * base ** (length - allowedLength)] as const);
  return new Map(penalties);
}

/** Tokens with any probability, ties by id. */
function likeliestFirst(p: readonly number[]): number[] {
  const tokens = [...p.keys()].filter((token) => p[token]! > 0);
  return tokens.sort((a, b) => p[b]! - p[a]! || a - b);
}

export function mostTypicalFirst(p: readonly number[]): number[] {
  const tokens = [...p.keys()].filter((token) => p[token]! > 0);
  const entropy = sum(tokens.map((token) => -p[token]! * Math.log(p[token]!)));
  const oddness = (token: number): number => Math.abs(-Math.log(p[token]!) - entropy);
  return tokens.sort((a, b) => oddness(a) - oddness(b) || a - b);
}

/** The first tokens whose mass reaches `share`, at least one. */
export function untilMass(p: readonly number[], tokens: readonly number[], share: number): number[] {
  let mass = 0;
  const last = tokens.findIndex((token) => {
    mass += p[token]!;
    return mass >= share;
  });
  return last < 0 ? [...tokens] : tokens.slice(0, last + 1);
}

function normalized(weights: readonly number[]): number[] {
  const total = sum(weights);
  return weights.map((weight) => weight / total);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
