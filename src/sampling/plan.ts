// A sampling plan: what a request asks for, compiled once per choice into one ordered list of steps.
//
// To add a step: name it and place it in ORDER below with the test of when it acts, write it in a file of its own (dry.ts
// changes logits, typical.ts cuts candidates), and enter it in the table STEPS of sampler.ts.

export interface SamplingOptions {
  /** 0: greedy. */
  readonly temperature: number;
  /** Smallest set of the likeliest tokens whose mass reaches this; 1: off, 0: the best token alone. */
  readonly topP: number;
  /** The best so many tokens; 0 or absent: off. */
  readonly topK?: number;
  /** Tokens at least this likely relative to the best; 0 or absent: off. */
  readonly minP?: number;
  readonly frequencyPenalty: number;
  readonly presencePenalty: number;
  /** 1: off. */
  readonly repetitionPenalty: number;
  /** Locally typical sampling; 1 or absent: off. */
  readonly typicalP?: number;
  /** Tokens whose logit is within so many standard deviations of the best; 0 or absent: off. */
  readonly topNSigma?: number;
  /** Absent: off. */
  readonly dry?: DryOptions;
  /** Absent: off. */
  readonly xtc?: XtcOptions;
  /** Tokens that are ruled out while the answer has fewer than `count` tokens and any other token is left. */
  readonly minTokens?: { readonly count: number; readonly heldBack: ReadonlySet<number> };
  readonly logitBias: ReadonlyMap<number, number>;
  readonly seed: bigint;
  /** Which of `n` choices this is. */
  readonly choice: number;
  /** How many alternatives to report beside the chosen token; absent: no logprobs at all. */
  readonly logprobs?: number;
  /** True when a mask of allowed tokens comes with every call (grammars). */
  readonly masked?: boolean;
}

/** "Don't repeat yourself": see dry.ts. */
export interface DryOptions {
  readonly multiplier: number;
  readonly base: number;
  /** Repetitions up to this length cost nothing; a token that would make one longer does. */
  readonly allowedLength: number;
  /** How many of the last tokens, prompt included, are looked at; absent: all. */
  readonly lastTokens?: number;
  /** Tokens over which no repetition is followed. */
  readonly breakers: ReadonlySet<number>;
}

/** "Exclude top choices": see xtc.ts. */
export interface XtcOptions {
  readonly probability: number;
  readonly threshold: number;
}

interface Placed {
  readonly name: string;
  readonly acts: (options: SamplingOptions) => boolean;
}

const samples = (options: SamplingOptions): boolean => options.temperature > 0;
/** No two tokens can both be more likely than 1/2. */
const canExclude = ({ probability, threshold }: XtcOptions): boolean => probability > 0 && threshold <= 0.5;

/**
 * The order, from raw logits to a token.
 *
 * - `logprobs` first: they are the model's own distribution, untouched by anything a request sets (OpenAI, vllm#9453).
 * - `logit_bias` before all penalties, as in vLLM.
 * - `repetition_penalty`: a factor on logits (Keskar et al., CTRL, 2019); before temperature as in Hugging Face
 *   transformers, and before the penalties that subtract as in vLLM and llama.cpp, so that it does not scale those.
 * - `penalties`: OpenAI's documentation writes them as changes of the logits.
 * - `dry` after the other penalties, as in llama.cpp and text-generation-webui.
 * - `mask` after everything that raises logits, so that no bias can beat a grammar.
 * - `min_tokens` right after `mask`: it holds the end back against any bias, but gives way to a grammar that allows the end
 *   alone, which only the masked logits tell.
 * - `top_n_sigma` before `temperature`, which it is defined to be independent of, and after `mask`, so that the best logit is
 *   one that may be drawn.
 * - `temperature` before the filters: OpenAI and transformers define top_p on the distribution that is drawn from.
 *   (llama.cpp applies it last; its top_p then does not depend on the temperature.)
 * - `top_k`, `top_p`, `min_p`: transformers' order. top_p's mass is that of the tokens that top_k left; min_p compares with
 *   the best token alone, so its place among the three only matters for that mass. Each cuts a tail of the same order
 *   (smaller distance from the best logit first, then lower id), so none can remove the best token.
 * - `typical_p` after these, transformers' order: entropy and mass are those of the tokens left. It may remove the best token.
 * - `xtc` last, as its author places it: it looks at what all truncation left, and no filter after it can undo its choice.
 * - `greedy` instead of all after `min_tokens` at temperature 0; else `draw`.
 */
const ORDER = [
  { name: "logprobs", acts: (options) => options.logprobs !== undefined },
  { name: "logit_bias", acts: (options) => options.logitBias.size > 0 },
  { name: "repetition_penalty", acts: (options) => options.repetitionPenalty !== 1 },
  { name: "penalties", acts: (options) => options.frequencyPenalty !== 0 || options.presencePenalty !== 0 },
  { name: "dry", acts: ({ dry }) => dry !== undefined && dry.multiplier !== 0 },
  { name: "mask", acts: (options) => options.masked === true },
  { name: "min_tokens", acts: ({ minTokens }) => minTokens !== undefined && minTokens.count > 0 },
  { name: "greedy", acts: (options) => !samples(options) },
  { name: "top_n_sigma", acts: (options) => samples(options) && (options.topNSigma ?? 0) > 0 },
  { name: "temperature", acts: (options) => samples(options) && options.temperature !== 1 },
  { name: "top_k", acts: (options) => samples(options) && (options.topK ?? 0) > 0 },
  { name: "top_p", acts: (options) => samples(options) && options.topP < 1 },
  { name: "min_p", acts: (options) => samples(options) && (options.minP ?? 0) > 0 },
  { name: "typical_p", acts: (options) => samples(options) && (options.typicalP ?? 1) < 1 },
  { name: "xtc", acts: (options) => samples(options) && options.xtc !== undefined && canExclude(options.xtc) },
  { name: "draw", acts: samples },
] as const satisfies readonly Placed[];

export type SamplingStepName = (typeof ORDER)[number]["name"];

export interface SamplingStep {
  readonly name: SamplingStepName;
}

export interface SamplingPlan {
  readonly options: SamplingOptions;
  /** The one visible list, in order. Steps that would do nothing are left out. */
  readonly steps: readonly SamplingStep[];
}

/** Every step there is, in order. */
export const SAMPLING_STEPS: readonly SamplingStepName[] = ORDER.map(({ name }) => name);

const LOOKING_BACK: readonly SamplingStepName[] = ["repetition_penalty", "penalties", "dry"];

/** Whether the draw depends on which tokens the history has, and not only on how many. */
export function looksBack({ steps }: SamplingPlan): boolean {
  return steps.some(({ name }) => LOOKING_BACK.includes(name));
}

/** The plan of one choice. The options are taken as checked (api/request). */
export function compilePlan(options: SamplingOptions): SamplingPlan {
  return { options, steps: ORDER.filter(({ acts }) => acts(options)).map(({ name }) => ({ name })) };
}
