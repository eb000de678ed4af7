// A conversation as templates see it, in the names that they use (snake_case): roles, text, tool calls.

export type Role = "system" | "developer" | "user" | "assistant" | "tool";

/** What a template may walk over. Kinds other than text stand for what a tower turns into embeddings. */
export type ContentPart = { readonly type: "text"; readonly text: string } | { readonly type: "image" | "audio" };

export interface ToolCall {
  readonly id: string;
  readonly type: "function";
  /** `arguments` is the model's own JSON text, perhaps broken. */
  readonly function: { readonly name: string; readonly arguments: string };
}

export interface ChatMessage {
  readonly role: Role;
  readonly content: string | null | readonly ContentPart[];
  /** Tells participants of one role apart; of a tool's result: the tool. */
  readonly name?: string;
  /** Hidden reasoning of an earlier answer, for templates that put it back. */
  readonly reasoning_content?: string;
  readonly tool_calls?: readonly ToolCall[];
  readonly tool_call_id?: string;
}
