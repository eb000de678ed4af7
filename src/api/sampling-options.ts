// The fields of a request that shape sampling -> SamplingOptions. What is off is left out.
import type { DryOptions, SamplingOptions, XtcOptions } from "../sampling/plan.ts";
import type { FieldValues } from "./fields.ts";
import type { RequestLimits } from "./request.ts";

/** DRY as published (p-e-w, text-generation-webui #5677): its defaults. */
const DRY = { base: 1.75, allowedLength: 2, breakers: ["\n", ":", '"', "*"] };
/** Puts a breaker where it mostly stands: after text. As published, its last token is the one that breaks. */
const BEFORE_BREAKER = "a";
/** XTC as published (p-e-w, text-generation-webui #6335): two tokens cannot both be above one half. */
const XTC = { threshold: 0.1, greatestThreshold: 0.5 };

export function samplingOptions(values: FieldValues, limits: RequestLimits): SamplingOptions {
  const dry = dryOptions(values, limits);
  const xtc = xtcOptions(values);
  const heldBack = values.min_tokens ? heldBackTokens(values, limits) : undefined;
  return {
    temperature: values.temperature ?? 1,
    topP: values.top_p ?? 1,
    ...(values.top_k && { topK: values.top_k }),
    ...(values.min_p && { minP: values.min_p }),
    ...(values.typical_p !== undefined && values.typical_p < 1 && { typicalP: values.typical_p }),
    ...(values.top_n_sigma && { topNSigma: values.top_n_sigma }),
    frequencyPenalty: values.frequency_penalty ?? 0,
    presencePenalty: values.presence_penalty ?? 0,
    repetitionPenalty: values.repetition_penalty ?? 1,
    ...(dry && { dry }),
    ...(xtc && { xtc }),
    ...(heldBack?.size && { minTokens: { count: values.min_tokens!, heldBack } }),
    logitBias: values.logit_bias ?? new Map(),
    seed: values.seed === undefined ? drawSeed() : BigInt.asUintN(64, values.seed),
    choice: 0,
    ...(values.logprobs && { logprobs: values.top_logprobs ?? 0 }),
  };
}

/** Every token that would end the answer, and so is ruled out until it has `min_tokens` tokens. */
export function heldBackTokens(
  { ignore_eos, stop_token_ids = [] }: FieldValues,
  { tokenizer: { endIds } }: RequestLimits,
): Set<number> {
  return new Set([...(ignore_eos ? [] : endIds), ...stop_token_ids]);
}

function dryOptions(values: FieldValues, { tokenizer }: RequestLimits): DryOptions | undefined {
  const lastTokens = values.dry_penalty_last_n ?? -1;
  if (!values.dry_multiplier || lastTokens === 0) return undefined;
  const breakers = (values.dry_sequence_breakers ?? DRY.breakers).map(
    (breaker) => tokenizer.encode(BEFORE_BREAKER + breaker, { addBos: false, addEos: false }).at(-1)!,
  );
  return {
    multiplier: values.dry_multiplier,
    base: values.dry_base ?? DRY.base,
    allowedLength: values.dry_allowed_length ?? DRY.allowedLength,
    ...(lastTokens > 0 && { lastTokens }),
    breakers: new Set(breakers),
  };
}

function xtcOptions({ xtc_probability, xtc_threshold = XTC.threshold }: FieldValues): XtcOptions | undefined {
  if (!xtc_probability || xtc_threshold > XTC.greatestThreshold) return undefined;
  return { probability: xtc_probability, threshold: xtc_threshold };
}

function drawSeed(): bigint {
  return crypto.getRandomValues(new BigUint64Array(1))[0]!;
}
