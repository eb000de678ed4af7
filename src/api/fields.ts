// The one table of request fields: validation, refusals and README's tables all read it.
// To add a field: one row here; a new output goes into ChatRequest (request.ts).
import { array, boolean, type Check, decimal, integer, nonEmptyString, oneOf, shortString, string } from "./checks.ts";
import { type Extension, extension, type Honoured, honoured, onlyBeside, refused } from "./field-row.ts";
import { messages } from "./messages.ts";
import { logitBias, metadata, prediction, promptCacheOptions, seed, stop, streamOptions } from "./openai-checks.ts";
import * as checks from "./refused-checks.ts";
import { templateKwargs } from "./switches.ts";

const TOKENS = { min: 1, max: Number.MAX_SAFE_INTEGER };
const COUNT = { min: 0, max: Number.MAX_SAFE_INTEGER };
const PROBABILITY = { min: 0, max: 1 };
const ANY_LENGTH = { min: 0, max: Number.POSITIVE_INFINITY };
/** OpenAI's limit. */
const MAX_SAFETY_IDENTIFIER = 64;
/** Far longer than any that is in use; each is encoded once a request. */
const BREAKER: Check<string> = (value, path) => shortString(128)(nonEmptyString(value, path), path);
const UNTIL_FULL = "what the context has room for";
const TOOLS_LATER = "Tools are not supported yet.";
const TEXT_ONLY = "Only text comes out: leave it out.";

/** Checked in this order, which is also that of README's tables. */
export const FIELDS = {
  messages: honoured(messages, "array, ≥ 1: all six roles", "required", "text only: images, audio and files are refused by their path"),
  model: honoured(nonEmptyString, "string", "required", "id of a loaded model; responses name it"),
  stream: honoured(boolean, "boolean", "`false`"),
  stream_options: honoured(streamOptions, "`{ include_usage }`", "none", "only with `stream: true`"),
  temperature: honoured(decimal({ min: 0, max: 2 }), "0 to 2", "1", "0 is greedy"),
  top_p: honoured(decimal(PROBABILITY), "0 to 1", "1", "0 keeps the best token alone"),
  seed: honoured(seed, "integer, −2^63 to 2^63−1", "drawn anew", "beyond ±(2^53−1) as a decimal string (extension)"),
  max_completion_tokens: honoured(integer(TOKENS), "integer ≥ 1", UNTIL_FULL),
  max_tokens: honoured(integer(TOKENS), "integer ≥ 1", UNTIL_FULL, "older name of `max_completion_tokens`; not both"),
  stop: honoured(stop, "string, or 1 to 4 strings", "none", "the answer ends before it"),
  n: honoured(integer({ min: 1, max: 128 }), "integer, 1 to 128", "1", "choice 0 is the same whatever `n` is"),
  frequency_penalty: honoured(decimal({ min: -2, max: 2 }), "−2 to 2", "0", "counts the answer's tokens only"),
  presence_penalty: honoured(decimal({ min: -2, max: 2 }), "−2 to 2", "0", "counts the answer's tokens only"),
  logit_bias: honoured(logitBias, "token id → integer, −100 to 100", "none", "ids of this model's vocabulary"),
  logprobs: honoured(boolean, "boolean", "`false`", "of the raw distribution"),
  top_logprobs: honoured(integer({ min: 0, max: 20 }), "integer, 0 to 20", "0", "only with `logprobs: true`"),
  reasoning_effort: honoured(
    oneOf("none", "minimal", "low", "medium", "high", "xhigh", "max"), "none, minimal, low, medium, high, xhigh, max",
    "the template's", "refused unless the model's template reads `reasoning_effort`, `enable_thinking` or `thinking`",
  ),
  verbosity: honoured(
    oneOf("low", "medium", "high"), "low, medium, high", "the template's", "refused unless the model's template reads `verbosity`",
  ),
  user: honoured(string, "string", "none", "accepted; nobody else is served here"),
  safety_identifier: honoured(shortString(MAX_SAFETY_IDENTIFIER), "string, ≤ 64 characters", "none", "accepted, as `user`"),
  prompt_cache_key: honoured(string, "string", "none", "what its prompts have computed is kept before other prompts'; never changes an answer"),
  prompt_cache_options: honoured(
    promptCacheOptions, '`{ ttl: "30m", mode: "implicit" }`', "implicit", "how long that is kept first; every prefix is cached, so breakpoints need nothing more",
  ),
  prompt_cache_retention: honoured(oneOf("in_memory", "24h"), "in_memory, 24h", "in_memory", "older than `prompt_cache_options`: `24h` keeps it first for a day, while the page lives"),
  metadata: honoured(metadata, "≤ 16 pairs: key ≤ 64, value ≤ 512 characters", "none", "accepted without `store`"),
  service_tier: honoured(
    oneOf("auto", "default", "flex", "scale", "priority", "fast"), "auto, default, flex, scale, priority, fast",
    "`auto`", "`priority` and `fast` go before others, `flex` runs when nothing else does; a response names its tier when asked",
  ),
  prediction: honoured(
    prediction, '`{ type: "content", content: string or text parts }`', "none", "what the answer will largely be: makes it come sooner, never changes it",
  ),

  top_k: extension(integer(COUNT), "integer ≥ 0", "0 (off)", "the best so many tokens (Fan et al. 2018)"),
  min_p: extension(decimal(PROBABILITY), "0 to 1", "0 (off)", "tokens this likely relative to the best (Nguyen et al. 2024)"),
  typical_p: extension(
    decimal({ ...PROBABILITY, minExcluded: true }), "above 0, to 1", "1 (off)", "locally typical sampling (Meister et al. 2022)",
  ),
  top_n_sigma: extension(
    decimal({ min: 0, max: Number.MAX_VALUE }), "≥ 0", "0 (off)",
    "tokens whose logit is within so many standard deviations of the best (Tang et al. 2024)",
  ),
  repetition_penalty: extension(
    decimal({ min: 0.01, max: 100 }), "0.01 to 100", "1 (off)", "a factor on logits, counts prompt and answer (Keskar et al. 2019, CTRL)",
  ),
  dry_multiplier: extension(
    decimal({ min: 0, max: Number.MAX_VALUE }), "≥ 0", "0 (off)", "DRY: penalty of repeated sequences (p-e-w, text-generation-webui #5677)",
  ),
  dry_base: extension(decimal({ min: 1, max: Number.MAX_VALUE }), "≥ 1", "1.75", "DRY: growth of the penalty with each token repeated"),
  dry_allowed_length: extension(integer(COUNT), "integer ≥ 0", "2", "DRY: repetitions up to this length are free"),
  dry_penalty_last_n: extension(
    integer({ min: -1, max: Number.MAX_SAFE_INTEGER }), "integer ≥ −1", "−1 (all)", "DRY: how many of the last tokens are looked at; 0 is off (llama.cpp)",
  ),
  dry_sequence_breakers: extension(
    array(BREAKER, { min: 0, max: 128 }), "≤ 128 strings of ≤ 128 characters", '`["\\n", ":", "\\"", "*"]`', "DRY: where no repetition is followed on; each counts as its last token",
  ),
  xtc_probability: extension(
    decimal(PROBABILITY), "0 to 1", "0 (off)", "XTC: how often the top choices are excluded (p-e-w, text-generation-webui #6335)",
  ),
  xtc_threshold: extension(decimal(PROBABILITY), "0 to 1", "0.1", "XTC: what a top choice is; above 0.5 is off"),
  min_tokens: extension(integer(COUNT), "integer ≥ 0", "0", "no end token and no stop token before so many (vLLM)"),
  ignore_eos: extension(boolean, "boolean", "`false`", "the model's end tokens do not end the answer (vLLM)"),
  stop_token_ids: extension(
    array(integer(COUNT), ANY_LENGTH), "token ids", "none", "end the answer as the model's own end tokens do (vLLM)",
  ),
  chat_template_kwargs: extension(
    templateKwargs, "name → JSON value", "none", "variables of the model's chat template, of those that it reads (vLLM)",
  ),
  continue_final_message: extension(
    boolean, "boolean", "`true` after an assistant's message", "the answer goes on where the last message ends; `false` begins a new one (vLLM)",
  ),
  return_token_ids: extension(boolean, "boolean", "`false`", "adds `prompt_token_ids`, and `token_ids` to each choice (vLLM)"),
  prompt_logprobs: extension(
    integer({ min: 0, max: 20 }), "integer, 0 to 20", "none", "adds the prompt's logprobs, with so many alternatives (vLLM)",
  ),

  response_format: refused(checks.responseFormat, "object", "Ask for the format in a message.", {
    test: (type) => type === "text",
    text: '`{ type: "text" }`',
  }),
  modalities: refused(checks.modalities, "array of text, audio", TEXT_ONLY, {
    test: (names) => names.every((name) => name === "text"),
    text: '`["text"]`',
  }),
  audio: refused(checks.audio, "`{ voice, format }`", TEXT_ONLY),
  tools: refused(checks.tools, "array", TOOLS_LATER, { test: (given) => given.length === 0, text: "`[]`" }),
  tool_choice: onlyBeside("tools", checks.toolChoice, "none, auto, required, or object"),
  parallel_tool_calls: onlyBeside("tools", boolean, "boolean"),
  functions: refused(checks.functions, "array, 1 to 128", TOOLS_LATER),
  function_call: onlyBeside("functions", checks.functionCall, "none, auto, or object"),
  web_search_options: refused(checks.webSearchOptions, "object", "The engine makes no requests: leave it out."),
  store: refused(boolean, "boolean", "Completions are not stored yet: leave it out.", { test: (asked) => !asked, text: "`false`" }),
  moderation: refused(checks.moderation, "`{ model, policy }`", "There is no moderation model here: leave it out."),
} as const; // biome-ignore format: a table, one row a field

export type FieldName = keyof typeof FIELDS;

type Taken<T> = Honoured<T> | Extension<T>;
type TakenName = { [Name in FieldName]: (typeof FIELDS)[Name] extends Taken<unknown> ? Name : never }[FieldName];

/** What the checks make of the fields that are taken. */
export type FieldValues = {
  readonly [Name in TakenName]?: (typeof FIELDS)[Name] extends Taken<infer T> ? T : never;
};
