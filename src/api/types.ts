// The API as the `openai` package shapes it: what a caller calls. What goes in and what comes out, in OpenAI's own names, is in
// the files beside this one; others import it all from here.
import type { ControlledStream } from "../base/controlled-stream.ts";
import type {
  ChatCompletionCreateParams,
  ChatCompletionCreateParamsNonStreaming,
  ChatCompletionCreateParamsStreaming,
} from "./request-types.ts";
import type { ChatCompletion, ChatCompletionChunk, Model, ModelList } from "./response-types.ts";

export type * from "./message-types.ts";
export type * from "./refused-types.ts";
export type * from "./request-types.ts";
export type * from "./response-types.ts";

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
