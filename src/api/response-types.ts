// OpenAI's wire types of answers, plain and streamed, and of models, hand-written after openai-openapi 2.3.0.
import type { ChatCompletionFunctionCall, ChatCompletionMessageToolCall } from "./message-types.ts";

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

/** Extension, as in vLLM: a token of the prompt, or one that could have stood in its place. */
export interface PromptTokenLogprob {
  logprob: number;
  /** 1 is the likeliest token. */
  rank: number;
  decoded_token: string;
}

/** Extension: for each position of the prompt its token and the likeliest ones, by id; null for the first, which follows nothing. */
export type PromptLogprobs = (Record<string, PromptTokenLogprob> | null)[];

export interface CompletionUsage {
  prompt_tokens: number;
  /** What was generated, without the end-of-turn token, over all choices; and the rejected tokens of a prediction. */
  completion_tokens: number;
  total_tokens: number;
  prompt_tokens_details: { cached_tokens: number; audio_tokens: number };
  completion_tokens_details: {
    reasoning_tokens: number;
    audio_tokens: number;
    /** Tokens of the request's `prediction` that are in the answers. */
    accepted_prediction_tokens: number;
    /** Those that were computed, and are not. */
    rejected_prediction_tokens: number;
  };
}

export interface ChatCompletionMessage {
  role: "assistant";
  content: string | null;
  refusal: string | null;
  annotations: never[];
  /** Absent when there is none. */
  tool_calls?: ChatCompletionMessageToolCall[];
  /** @deprecated in favour of `tool_calls` */
  function_call?: ChatCompletionFunctionCall;
}

export interface ChatCompletionChoice {
  index: number;
  message: ChatCompletionMessage;
  logprobs: ChatCompletionLogprobs | null;
  finish_reason: FinishReason;
  /** Extension: with `return_token_ids`, the tokens that were sampled, the one that ended the answer included. */
  token_ids?: number[];
}

export interface ChatCompletion {
  id: string;
  object: "chat.completion";
  /** Unix time in seconds. */
  created: number;
  /** Id of the model that answered. */
  model: string;
  /** By `index`. */
  choices: ChatCompletionChoice[];
  usage: CompletionUsage;
  system_fingerprint: string;
  /** The tier in use, when the request named one. */
  service_tier?: "priority" | "default" | "flex";
  /** Extension: the prompt's tokens, with `return_token_ids`. */
  prompt_token_ids?: number[];
  /** Extension: with `prompt_logprobs`. */
  prompt_logprobs?: PromptLogprobs;
}

/** A piece of a call: `id`, `type` and `name` come once, in the first; texts add up. */
export interface ChatCompletionToolCallDelta {
  index: number;
  id?: string;
  type?: "function" | "custom";
  function?: { name?: string; arguments?: string };
  custom?: { name?: string; input?: string };
}

export interface ChatCompletionDelta {
  role?: "assistant";
  content?: string | null;
  refusal?: string | null;
  tool_calls?: ChatCompletionToolCallDelta[];
  /** @deprecated in favour of `tool_calls` */
  function_call?: { name?: string; arguments?: string };
}

export interface ChatCompletionChunkChoice {
  index: number;
  delta: ChatCompletionDelta;
  logprobs: ChatCompletionLogprobs | null;
  finish_reason: FinishReason | null;
  /** Extension: with `return_token_ids`, the tokens sampled since this choice's chunk before. */
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
  service_tier?: "priority" | "default" | "flex";
  /** Only with `include_usage`: null in all chunks but the last. */
  usage?: CompletionUsage | null;
  /** Extension: in the first chunk, with `return_token_ids`. */
  prompt_token_ids?: number[];
  /** Extension: in the first chunk, with `prompt_logprobs`. */
  prompt_logprobs?: PromptLogprobs;
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
