// Rules across fields, for a request whose fields are each right by themselves (CONTRACT 1.6).
import { invalid, join } from "./checks.ts";
import type { FieldValues } from "./fields.ts";
import type { RequestMessage } from "./messages.ts";
import type { RequestLimits } from "./request.ts";
import { heldBackTokens } from "./sampling-options.ts";

/** @throws EngineError `invalid_request` for the first rule that is broken */
export function checkRules(values: FieldValues, limits: RequestLimits): void {
  for (const rule of RULES) rule(values, limits);
}

/** True when the last message can go on: an assistant's that does not end in a call. */
export function isContinuable(messages: readonly RequestMessage[]): boolean {
  const last = messages.at(-1);
  return last?.role === "assistant" && last.toolCalls === undefined && last.functionCall === undefined;
}

type Rule = (values: FieldValues, limits: RequestLimits) => void;

const RULES: readonly Rule[] = [
  streamOptionsNeedStream,
  topLogprobsNeedLogprobs,
  oneTokenLimit,
  biasedTokensExist,
  stopTokensExist,
  minTokensFit,
  aTokenIsLeft,
  finalMessageCanGoOn,
];

function streamOptionsNeedStream({ stream_options, stream }: FieldValues): void {
  if (stream_options !== undefined && stream !== true)
    throw invalid("stream_options", "invalid_value", "'stream_options' is only allowed when 'stream' is true.");
}

function topLogprobsNeedLogprobs({ top_logprobs, logprobs }: FieldValues): void {
  if (top_logprobs !== undefined && logprobs !== true)
    throw invalid("top_logprobs", "invalid_value", "'top_logprobs' is only allowed when 'logprobs' is true.");
}

function oneTokenLimit({ max_tokens, max_completion_tokens }: FieldValues): void {
  if (max_tokens !== undefined && max_completion_tokens !== undefined)
    throw invalid(
      "max_tokens",
      "invalid_value",
      "'max_tokens' and 'max_completion_tokens' were both set: they mean the same, so set one.",
    );
}

function biasedTokensExist({ logit_bias }: FieldValues, { tokenizer: { vocabSize } }: RequestLimits): void {
  for (const token of logit_bias?.keys() ?? [])
    if (token >= vocabSize)
      throw invalid(
        join("logit_bias", String(token)),
        "invalid_value",
        `Invalid key in 'logit_bias': ${token}. This model's token ids end at ${vocabSize - 1}.`,
      );
}

function stopTokensExist({ stop_token_ids }: FieldValues, { tokenizer: { vocabSize } }: RequestLimits): void {
  for (const [index, token] of stop_token_ids?.entries() ?? [])
    if (token >= vocabSize)
      throw invalid(
        `stop_token_ids[${index}]`,
        "invalid_value",
        `Invalid value for 'stop_token_ids[${index}]': ${token}. This model's token ids end at ${vocabSize - 1}.`,
      );
}

function minTokensFit({ min_tokens, max_completion_tokens, max_tokens }: FieldValues): void {
  const limit = max_completion_tokens ?? max_tokens;
  if (min_tokens === undefined || limit === undefined || min_tokens <= limit) return;
  const name = max_completion_tokens === undefined ? "max_tokens" : "max_completion_tokens";
  throw invalid(
    "min_tokens",
    "integer_above_max_value",
    `Invalid 'min_tokens': integer above maximum value. Expected a value <= '${name}', which is ${limit}, but got ${min_tokens} instead.`,
  );
}

function aTokenIsLeft(values: FieldValues, limits: RequestLimits): void {
  if (values.min_tokens && heldBackTokens(values, limits).size >= limits.tokenizer.vocabSize)
    throw invalid(
      "min_tokens",
      "invalid_value",
      `'min_tokens' holds back every one of this model's ${limits.tokenizer.vocabSize} tokens: shorten 'stop_token_ids'.`,
    );
}

function finalMessageCanGoOn({ continue_final_message, messages = [] }: FieldValues): void {
  if (continue_final_message === true && !isContinuable(messages))
    throw invalid(
      "continue_final_message",
      "invalid_value",
      "'continue_final_message' is only allowed when the last message is the assistant's and ends in text, not in a call.",
    );
}
