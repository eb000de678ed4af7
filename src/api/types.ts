// OpenAI's wire types, hand-written: what goes into `chat.completions.create` and what comes out, in OpenAI's own names.
// Written after openai-openapi 2.3.0. Only what the engine takes is typed; request.ts knows, and refuses, the rest.
import type { ControlledStream } from "../base/controlled-stream.ts";

export interface ChatCompletionContentPartText {
  type: "text";
  text: string;
}

type TextContent = string | ChatCompletionContentPartText[];

export interface ChatCompletionSystemMessageParam {
  role: "system";
  content: TextContent;
  name?: string | null;
}

export interface ChatCompletionDeveloperMessageParam {
  role: "developer";
  content: TextContent;
  name?: string | null;
}

export interface ChatCompletionUserMessageParam {
  role: "user";
  content: TextContent;
  name?: string | null;
}

/** An answer's `message` can be sent back as it came. */
export interface ChatCompletionAssistantMessageParam {
  role: "assistant";
  content: TextContent;
  name?: string | null;
  refusal?: null;
  annotations?: readonly never[] | null;
}

export type ChatCompletionMessageParam =
  | ChatCompletionSystemMessageParam
  | ChatCompletionDeveloperMessageParam
  | ChatCompletionUserMessageParam
  | ChatCompletionAssistantMessageParam;

export interface ChatCompletionStreamOptions {
  /** One more chunk at the end: no choices, the usage. */
  include_usage?: boolean | null;
  include_obfuscation?: false | null;
}

export interface ChatCompletionCreateParamsBase {
  messages: ChatCompletionMessageParam[];
  /** An engine has one model; whatever the name, that one answers, and the response says which it was. */
  model: string;
  temperature?: number | null;
  top_p?: number | null;
  seed?: number | null;
  max_completion_tokens?: number | null;
  /** @deprecated in favour of `max_completion_tokens` */
  max_tokens?: number | null;
  stop?: string | string[] | null;
  frequency_penalty?: number | null;
  presence_penalty?: number | null;
  /** Token id (as a string) to an integer from -100 to 100. */
  logit_bias?: Record<string, number> | null;
  logprobs?: boolean | null;
  top_logprobs?: number | null;
  user?: string | null;
  n?: 1 | null;
  stream?: boolean | null;
  stream_options?: ChatCompletionStreamOptions | null;
  service_tier?: "auto" | "default" | null;
  response_format?: { type: "text" } | null;
  /** Extension: only the best so many tokens; 0 is off. */
  top_k?: number | null;
  /** Extension: only tokens at least this likely relative to the best; 0 is off. */
  min_p?: number | null;
  /** Extension: divides the logits of tokens seen in prompt or answer (multiplies negative ones); 1 is off. */
  repetition_penalty?: number | null;
}

export interface ChatCompletionCreateParamsNonStreaming extends ChatCompletionCreateParamsBase {
  stream?: false | null;
}

export interface ChatCompletionCreateParamsStreaming extends ChatCompletionCreateParamsBase {
  stream: true;
}

export type ChatCompletionCreateParams = ChatCompletionCreateParamsNonStreaming | ChatCompletionCreateParamsStreaming;

export type FinishReason = "stop" | "length" | "tool_calls" | "content_filter" | "function_call";

export interface TopLogprob {
  token: string;
  /** Natural logarithm; -9999.0 stands for practically impossible. */
  logprob: number;
  /** Null for tokens that add no text. A character may span tokens: join bytes, not `token`. */
  bytes: number[] | null;
}

export interface ChatCompletionTokenLogprob extends TopLogprob {
  /** Best first. */
  top_logprobs: TopLogprob[];
}

export interface ChatCompletionLogprobs {
  content: ChatCompletionTokenLogprob[] | null;
  refusal: ChatCompletionTokenLogprob[] | null;
}

export interface CompletionUsage {
  prompt_tokens: number;
  /** What was generated, without the end-of-turn token. */
  completion_tokens: number;
  total_tokens: number;
  prompt_tokens_details: { cached_tokens: number; audio_tokens: number };
  completion_tokens_details: {
    reasoning_tokens: number;
    audio_tokens: number;
    accepted_prediction_tokens: number;
    rejected_prediction_tokens: number;
  };
}

export interface ChatCompletionMessage {
  role: "assistant";
  content: string | null;
  refusal: string | null;
  annotations: never[];
}

export interface ChatCompletionChoice {
  index: number;
  message: ChatCompletionMessage;
  logprobs: ChatCompletionLogprobs | null;
  finish_reason: FinishReason;
  /** Extension, with `return_token_ids`: the tokens that were sampled, the one that ended the answer included. */
  token_ids?: number[];
}

/** Extension, as vLLM has it. By position; null for the first, which nothing predicts. Keys are token ids. */
export type PromptLogprobs = (Record<string, { logprob: number; rank: number; decoded_token: string }> | null)[];

/** The tier that served a request. */
export type ServiceTier = "default" | "flex" | "priority";

export interface ChatCompletion {
  id: string;
  object: "chat.completion";
  /** Unix time in seconds. */
  created: number;
  model: string;
  choices: ChatCompletionChoice[];
  usage: CompletionUsage;
  system_fingerprint: string;
  service_tier?: ServiceTier;
  /** Extension, with `return_token_ids`. */
  prompt_token_ids?: number[];
  prompt_logprobs?: PromptLogprobs;
}

export interface ChatCompletionDelta {
  role?: "assistant";
  content?: string | null;
  refusal?: string | null;
}

export interface ChatCompletionChunkChoice {
  index: number;
  delta: ChatCompletionDelta;
  logprobs: ChatCompletionLogprobs | null;
  finish_reason: FinishReason | null;
  /** Extension, with `return_token_ids`: the tokens sampled since this choice's chunk before. */
  token_ids?: number[];
}

export interface ChatCompletionChunk {
  id: string;
  object: "chat.completion.chunk";
  /** Unix time in seconds. */
  created: number;
  model: string;
  choices: ChatCompletionChunkChoice[];
  system_fingerprint: string;
  service_tier?: ServiceTier;
  /** Extensions, in the first chunk. */
  prompt_token_ids?: number[];
  prompt_logprobs?: PromptLogprobs;
  /** Only with `include_usage`: null in all chunks but the last. */
  usage?: CompletionUsage | null;
}

/** A model that is loaded, as `GET /v1/models` lists it. */
export interface Model {
  id: string;
  object: "model";
  /** Unix time in seconds: when it was loaded. */
  created: number;
  owned_by: string;
}

export interface ModelList {
  object: "list";
  data: Model[];
}

export interface RequestOptions {
  signal?: AbortSignal | null | undefined;
}

/** `chat.completions`, with the overloads of the `openai` package. */
export interface ChatCompletions {
  /** @throws EngineError `invalid_request`, `unsupported_parameter`, `context_length_exceeded`, `aborted`, `device_lost`, … */
  create(params: ChatCompletionCreateParamsNonStreaming, options?: RequestOptions): Promise<ChatCompletion>;
  create(
    params: ChatCompletionCreateParamsStreaming,
    options?: RequestOptions,
  ): Promise<ControlledStream<ChatCompletionChunk>>;
  create(
    params: ChatCompletionCreateParams,
    options?: RequestOptions,
  ): Promise<ChatCompletion | ControlledStream<ChatCompletionChunk>>;
}

/** `models`, as in the `openai` package. */
export interface Models {
  list(options?: RequestOptions): Promise<ModelList>;
  /** @throws EngineError `model_not_found` */
  retrieve(id: string, options?: RequestOptions): Promise<Model>;
}
