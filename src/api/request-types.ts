// OpenAI's wire types of a request, hand-written after openai-openapi 2.3.0, and our extensions of it.
// Every field is typed, those too that are refused by name: code written for the `openai` package compiles.
import type { ChatCompletionContentPartText, ChatCompletionMessageParam } from "./message-types.ts";
import type {
  ChatCompletionAudioParam,
  ChatCompletionTool,
  ChatCompletionToolChoiceOption,
  FunctionDefinition,
  ModerationParam,
  PromptCacheOptions,
  ResponseFormat,
  WebSearchOptions,
} from "./refused-types.ts";

export type ReasoningEffort = "none" | "minimal" | "low" | "medium" | "high" | "xhigh" | "max";

export type ServiceTier = "auto" | "default" | "flex" | "scale" | "priority" | "fast";

export interface ChatCompletionStreamOptions {
  /** One more chunk at the end: no choices, the usage. */
  include_usage?: boolean | null;
  /** `true` is refused. */
  include_obfuscation?: boolean | null;
}

export interface ChatCompletionPredictionContent {
  type: "content";
  content: string | ChatCompletionContentPartText[];
}

/** Fields of ours. A value that turns one off is as good as leaving it out. */
export interface ChatCompletionExtensions {
  /** Only the best so many tokens; 0 is off. */
  top_k?: number | null;
  /** Only tokens at least this likely relative to the best; 0 is off. */
  min_p?: number | null;
  /** Locally typical sampling: above 0, to 1; 1 is off. */
  typical_p?: number | null;
  /** Only tokens whose logit is within so many standard deviations of the best; 0 is off. */
  top_n_sigma?: number | null;
  /** Divides the logits of tokens seen in prompt or answer (multiplies negative ones); 1 is off. */
  repetition_penalty?: number | null;
  /** DRY, the penalty of repeated sequences; 0 is off. */
  dry_multiplier?: number | null;
  /** Growth of DRY's penalty with each token repeated, at least 1; 1.75 if left out. */
  dry_base?: number | null;
  /** Repetitions up to this length are free; 2 if left out. */
  dry_allowed_length?: number | null;
  /** How many of the last tokens DRY looks at; -1, also if left out, is all, and 0 is off. */
  dry_penalty_last_n?: number | null;
  /** Texts over which no repetition is followed. */
  dry_sequence_breakers?: string[] | null;
  /** XTC: the probability by which the top choices are excluded; 0 is off. */
  xtc_probability?: number | null;
  /** XTC: the least probability of a top choice; 0.1 if left out, and above 0.5 is off. */
  xtc_threshold?: number | null;
  /** No end token, and none of `stop_token_ids`, before the answer has so many tokens. */
  min_tokens?: number | null;
  /** The model's end tokens do not end the answer. */
  ignore_eos?: boolean | null;
  /** Tokens that end the answer as the model's own end tokens do. */
  stop_token_ids?: number[] | null;
  /** Variables of the model's chat template, of those that it reads. */
  chat_template_kwargs?: Record<string, unknown> | null;
  /** The answer goes on where the last message ends; `true`, also if left out, after an assistant's message. */
  continue_final_message?: boolean | null;
  /** Adds `prompt_token_ids` to the response and `token_ids` to its choices. */
  return_token_ids?: boolean | null;
  /** Adds the logprobs of the prompt's tokens, with so many alternatives each, 0 to 20. */
  prompt_logprobs?: number | null;
}

export interface ChatCompletionCreateParamsBase extends ChatCompletionExtensions {
  messages: ChatCompletionMessageParam[];
  /** Id of a loaded model. */
  model: string;
  /** 0 to 2; 0 is greedy. */
  temperature?: number | null;
  /** 0 to 1. */
  top_p?: number | null;
  /** Any signed 64-bit integer, beyond the safe ones as a decimal string (our extension). */
  seed?: number | string | null;
  max_completion_tokens?: number | null;
  /** @deprecated in favour of `max_completion_tokens` */
  max_tokens?: number | null;
  /** One string, or up to 4. */
  stop?: string | string[] | null;
  /** How many choices, 1 to 128. */
  n?: number | null;
  /** -2 to 2. */
  frequency_penalty?: number | null;
  /** -2 to 2. */
  presence_penalty?: number | null;
  /** Token id (as a string) to an integer from -100 to 100. */
  logit_bias?: Record<string, number> | null;
  logprobs?: boolean | null;
  /** 0 to 20, only with `logprobs`. */
  top_logprobs?: number | null;
  stream?: boolean | null;
  /** Only with `stream`. */
  stream_options?: ChatCompletionStreamOptions | null;
  /** Refused unless the model's chat template has such a switch. */
  reasoning_effort?: ReasoningEffort | null;
  /** Refused unless the model's chat template has such a switch. */
  verbosity?: "low" | "medium" | "high" | null;
  /** There is one tier; a response names it when this is set. */
  service_tier?: ServiceTier | null;
  /** At most 16 pairs; keys up to 64 characters, values up to 512. */
  metadata?: Record<string, string> | null;
  user?: string | null;
  /** At most 64 characters. */
  safety_identifier?: string | null;
  prompt_cache_key?: string | null;
  /** What the answer will largely be: it then comes sooner, and is the same. */
  prediction?: ChatCompletionPredictionContent | null;

  /** Refused, except `{ type: "text" }`. */
  response_format?: ResponseFormat | null;
  /** Refused, except `["text"]`. */
  modalities?: ("text" | "audio")[] | null;
  /** Refused. */
  audio?: ChatCompletionAudioParam | null;
  /** Refused, except `[]`. */
  tools?: ChatCompletionTool[] | null;
  /** Refused: only allowed beside `tools`. */
  tool_choice?: ChatCompletionToolChoiceOption | null;
  /** Refused: only allowed beside `tools`. */
  parallel_tool_calls?: boolean | null;
  /** Refused. @deprecated in favour of `tools` */
  functions?: Omit<FunctionDefinition, "strict">[] | null;
  /** Refused: only allowed beside `functions`. @deprecated in favour of `tool_choice` */
  function_call?: "none" | "auto" | { name: string } | null;
  /** Refused. */
  web_search_options?: WebSearchOptions | null;
  /** Refused, except `false`. */
  store?: boolean | null;
  /** Refused. */
  moderation?: ModerationParam | null;
  /** Refused, except `{}`. */
  prompt_cache_options?: PromptCacheOptions | null;
  /** Refused. */
  prompt_cache_retention?: "in_memory" | "24h" | null;
}

export interface ChatCompletionCreateParamsNonStreaming extends ChatCompletionCreateParamsBase {
  stream?: false | null;
}

export interface ChatCompletionCreateParamsStreaming extends ChatCompletionCreateParamsBase {
  stream: true;
}

export type ChatCompletionCreateParams = ChatCompletionCreateParamsNonStreaming | ChatCompletionCreateParamsStreaming;
