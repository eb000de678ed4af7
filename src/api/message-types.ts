// OpenAI's wire types of messages: six roles, content parts, and the calls of tools.

export interface PromptCacheBreakpoint {
  mode: "explicit";
  ttl?: "30m" | "12h";
}

export interface ChatCompletionContentPartText {
  type: "text";
  text: string;
  /** Refused so far. */
  prompt_cache_breakpoint?: PromptCacheBreakpoint | null;
}

/** Refused: the engine's models read text. */
export interface ChatCompletionContentPartImage {
  type: "image_url";
  image_url: { url: string; detail?: "auto" | "low" | "high" | "original" };
  prompt_cache_breakpoint?: PromptCacheBreakpoint | null;
}

/** Refused: the engine's models read text. */
export interface ChatCompletionContentPartInputAudio {
  type: "input_audio";
  input_audio: { data: string; format: "wav" | "mp3" };
  prompt_cache_breakpoint?: PromptCacheBreakpoint | null;
}

/** Refused: the engine's models read text. */
export interface ChatCompletionContentPartFile {
  type: "file";
  file: { file_data?: string; file_id?: string; filename?: string };
  prompt_cache_breakpoint?: PromptCacheBreakpoint | null;
}

export interface ChatCompletionContentPartRefusal {
  type: "refusal";
  refusal: string;
}

export type ChatCompletionContentPart =
  | ChatCompletionContentPartText
  | ChatCompletionContentPartImage
  | ChatCompletionContentPartInputAudio
  | ChatCompletionContentPartFile;

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
  content: string | ChatCompletionContentPart[];
  name?: string | null;
}

/** An answer's `message` can be sent back as it came. */
export interface ChatCompletionAssistantMessageParam {
  role: "assistant";
  /** Required unless there are calls or a refusal. */
  content?: string | (ChatCompletionContentPartText | ChatCompletionContentPartRefusal)[] | null;
  name?: string | null;
  refusal?: string | null;
  annotations?: readonly object[] | null;
  tool_calls?: ChatCompletionMessageToolCall[] | null;
  /** @deprecated in favour of `tool_calls` */
  function_call?: ChatCompletionFunctionCall | null;
  /** Refused: there are no audio answers to refer to. */
  audio?: { id: string } | null;
}

/** What a tool answered to one call. */
export interface ChatCompletionToolMessageParam {
  role: "tool";
  content: TextContent;
  tool_call_id: string;
}

/** @deprecated in favour of `tool` messages */
export interface ChatCompletionFunctionMessageParam {
  role: "function";
  content: string | null;
  name: string;
}

export type ChatCompletionMessageParam =
  | ChatCompletionSystemMessageParam
  | ChatCompletionDeveloperMessageParam
  | ChatCompletionUserMessageParam
  | ChatCompletionAssistantMessageParam
  | ChatCompletionToolMessageParam
  | ChatCompletionFunctionMessageParam;

export interface ChatCompletionFunctionCall {
  name: string;
  /** JSON as the model wrote it, perhaps broken. */
  arguments: string;
}

export interface ChatCompletionMessageFunctionToolCall {
  id: string;
  type: "function";
  function: ChatCompletionFunctionCall;
}

export interface ChatCompletionMessageCustomToolCall {
  id: string;
  type: "custom";
  /** `input` is free text. */
  custom: { name: string; input: string };
}

export type ChatCompletionMessageToolCall = ChatCompletionMessageFunctionToolCall | ChatCompletionMessageCustomToolCall;
