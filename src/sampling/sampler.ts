// The CPU sampler: runs the steps of a plan over one row of logits. Knows no text and no requests.
import { invariant } from "../base/invariant.ts";
import { type Candidates, createCandidates, gatherCandidates, inverseTemperature } from "./candidates.ts";
import { drawGumbelMax } from "./draw.ts";
import { applyDry } from "./dry.ts";
import { keepMinP, keepTopK, keepTopP, minPDistance } from "./filters.ts";
import { checkedLargest, largestOf } from "./logits.ts";
import { logprobOf, logSumExp, type TokenLogprob, topLogprobs } from "./logprobs.ts";
import { addLogitBias, applyPenalties, applyRepetitionPenalty } from "./penalties.ts";
import type { SamplingOptions, SamplingPlan, SamplingStepName } from "./plan.ts";
import { applyMask, holdBack } from "./restrictions.ts";
import { keepTopNSigma } from "./top-n-sigma.ts";
import { keepTypical } from "./typical.ts";
import { excludeTopChoices, tossXtcCoin } from "./xtc.ts";

/** Token ids so far. The index in the answer is `sampled.length`. */
export interface TokenHistory {
  readonly prompt: ArrayLike<number>;
  readonly sampled: ArrayLike<number>;
}

export interface Sampled {
  readonly token: number;
  /** Of the raw logits. `top` is sorted, best first, ties by id; the chosen token is in it only by its own rank. */
  readonly logprobs?: { readonly logprob: number; readonly top: readonly TokenLogprob[] };
}

export interface Sampler {
  sample(logits: Float32Array, plan: SamplingPlan, history: TokenHistory, mask?: Uint32Array): Sampled;
}

/**
 * A sampler with scratch memory for one vocabulary size (16 bytes a token); it keeps nothing between calls.
 * For a loop that samples many tokens. Not for use by two callers at once, which one thread cannot do anyway.
 */
export function createSampler(vocabSize: number): Sampler {
  const scratch: Scratch = {
    logits: new Float32Array(vocabSize),
    counts: new Uint32Array(vocabSize),
    candidates: createCandidates(vocabSize),
  };
  return {
    sample(logits, plan, history, mask) {
      invariant(logits.length === vocabSize, `${logits.length} logits for a sampler of ${vocabSize}`);
      const row: Row = {
        raw: logits,
        rawLargest: checkedLargest(logits),
        logits,
        options: plan.options,
        history,
        mask,
        scratch,
        inverseTemperature: 1,
        gathered: false,
        logSum: 0,
        top: undefined,
        token: -1,
      };
      invariant(
        (mask !== undefined) === plan.steps.some(({ name }) => name === "mask"),
        "a mask comes with a plan that was compiled as masked, and only with it",
      );
      for (const { name } of plan.steps) STEPS[name](row);
      invariant(row.token >= 0, "the last step of a plan chooses the token");
      if (row.top === undefined) return { token: row.token };
      return { token: row.token, logprobs: { logprob: logprobOf(logits[row.token]!, row.logSum), top: row.top } };
    },
  };
}

let shared: { vocabSize: number; sampler: Sampler } | undefined;

/**
 * One token for one row of logits: a pure function of its arguments. The scratch memory of the last vocabulary size is kept
 * and reused; results do not depend on it.
 *
 * @param logits raw, [vocabSize]; not changed
 * @param mask allowed tokens, one bit each, low bit first, [ceil(vocabSize / 32)]; with plans compiled as `masked`
 * @throws EngineError `numeric_fault` for NaN or +Infinity among the logits or no finite one, `grammar_dead_end` when the mask
 *   allows no token that has a finite logit
 */
export function sample(logits: Float32Array, plan: SamplingPlan, history: TokenHistory, mask?: Uint32Array): Sampled {
  if (shared?.vocabSize !== logits.length) {
    shared = { vocabSize: logits.length, sampler: createSampler(logits.length) };
  }
  return shared.sampler.sample(logits, plan, history, mask);
}

interface Scratch {
  /** Where steps that change logits write. */
  readonly logits: Float32Array;
  /** All zero between steps. */
  readonly counts: Uint32Array;
  readonly candidates: Candidates;
}

interface Row {
  readonly raw: Float32Array;
  readonly rawLargest: number;
  /** `raw` until a step changes logits, scratch from then on. */
  logits: Float32Array;
  readonly options: SamplingOptions;
  readonly history: TokenHistory;
  readonly mask: Uint32Array | undefined;
  readonly scratch: Scratch;
  inverseTemperature: number;
  gathered: boolean;
  logSum: number;
  top: readonly TokenLogprob[] | undefined;
  token: number;
}

/** What each step does. Their order is plan.ts's alone. */
const STEPS: Record<SamplingStepName, (row: Row) => void> = {
  logprobs(row) {
    row.logSum = logSumExp(row.raw, row.rawLargest);
    row.top = topLogprobs(row.raw, row.options.logprobs ?? 0, row.logSum);
  },
  logit_bias(row) {
    addLogitBias(changeable(row), row.options.logitBias);
  },
  repetition_penalty(row) {
    const { prompt, sampled } = row.history;
    applyRepetitionPenalty(changeable(row), prompt, sampled, row.options.repetitionPenalty, row.scratch.counts);
  },
  penalties(row) {
    const { frequencyPenalty, presencePenalty } = row.options;
    applyPenalties(changeable(row), row.history.sampled, frequencyPenalty, presencePenalty, row.scratch.counts);
  },
  dry(row) {
    const { prompt, sampled } = row.history;
    applyDry(changeable(row), prompt, sampled, row.options.dry!, row.scratch.counts);
  },
  mask(row) {
    applyMask(changeable(row), row.mask!);
  },
  min_tokens(row) {
    const { count, heldBack } = row.options.minTokens!;
    if (row.history.sampled.length < count) holdBack(changeable(row), heldBack);
  },
  greedy(row) {
    row.token = row.logits.indexOf(largestLogit(row)); // the first of equals
  },
  top_n_sigma(row) {
    const largest = largestLogit(row);
    keepTopNSigma(changeable(row), largest, row.options.topNSigma!);
  },
  temperature(row) {
    row.inverseTemperature = inverseTemperature(row.options.temperature);
  },
  top_k(row) {
    keepTopK(candidatesOf(row), row.options.topK!);
  },
  top_p(row) {
    keepTopP(candidatesOf(row), row.options.topP);
  },
  min_p(row) {
    keepMinP(candidatesOf(row), minPDistance(row.options.minP!));
  },
  typical_p(row) {
    keepTypical(candidatesOf(row), row.options.typicalP!);
  },
  xtc(row) {
    const { seed, choice, xtc } = row.options;
    const acts = tossXtcCoin(xtc!.probability, seed, row.history.sampled.length, choice);
    if (acts) excludeTopChoices(candidatesOf(row), xtc!.threshold);
  },
  draw(row) {
    const { seed, choice } = row.options;
    row.token = drawGumbelMax(candidatesOf(row), seed, row.history.sampled.length, choice);
  },
};

function candidatesOf(row: Row): Candidates {
  if (!row.gathered) {
    gatherCandidates(row.scratch.candidates, row.logits, largestLogit(row), row.inverseTemperature);
    row.gathered = true;
  }
  return row.scratch.candidates;
}

function largestLogit(row: Row): number {
  return row.logits === row.raw ? row.rawLargest : largestOf(row.logits);
}

/** The row's logits in scratch memory, copied there the first time. */
function changeable(row: Row): Float32Array {
  if (row.logits === row.raw) {
    row.scratch.logits.set(row.raw);
    row.logits = row.scratch.logits;
  }
  return row.logits;
}
