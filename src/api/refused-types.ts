// OpenAI's wire types of the fields that are refused so far: tools, formats of output, and what needs a server.

/** A JSON Schema. */
export type FunctionParameters = Record<string, unknown>;

export interface FunctionDefinition {
  /** a-z, A-Z, 0-9, _ and -; at most 64. */
  name: string;
  description?: string;
  parameters?: FunctionParameters;
  strict?: boolean | null;
}

export interface ChatCompletionFunctionTool {
  type: "function";
  function: FunctionDefinition;
}

export interface ChatCompletionCustomTool {
  type: "custom";
  custom: {
    name: string;
    description?: string;
    format?: { type: "text" } | { type: "grammar"; grammar: { definition: string; syntax: "lark" | "regex" } };
  };
}

export type ChatCompletionTool = ChatCompletionFunctionTool | ChatCompletionCustomTool;

export type ChatCompletionToolChoiceOption =
  | "none"
  | "auto"
  | "required"
  | { type: "function"; function: { name: string } }
  | { type: "custom"; custom: { name: string } }
  | { type: "allowed_tools"; allowed_tools: { mode: "auto" | "required"; tools: Record<string, unknown>[] } };

export interface ResponseFormatJSONSchema {
  type: "json_schema";
  json_schema: { name: string; description?: string; schema?: Record<string, unknown>; strict?: boolean | null };
}

export type ResponseFormat = { type: "text" } | { type: "json_object" } | ResponseFormatJSONSchema;

export interface ChatCompletionAudioParam {
  format: "wav" | "aac" | "mp3" | "flac" | "opus" | "pcm16";
  voice: string | { id: string };
}

export interface WebSearchOptions {
  search_context_size?: "low" | "medium" | "high";
  user_location?: {
    type: "approximate";
    approximate: { city?: string; country?: string; region?: string; timezone?: string };
  } | null;
}

interface ModerationRule {
  mode: "score" | "block";
}

export interface ModerationParam {
  model: string;
  policy?: { input?: ModerationRule | null; output?: ModerationRule | null } | null;
}

export interface PromptCacheOptions {
  mode?: "implicit" | "explicit";
  ttl?: "30m";
}
