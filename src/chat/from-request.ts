// The messages of a request -> the conversation that a template sees. Templates know tool calls and their results, and no
// refusals, custom tools or legacy function calls: here these take the forms that they know.
import type { RequestMessage, RequestToolCall } from "../api/messages.ts";
import type { ChatMessage, ToolCall } from "./message.ts";

/** Lossless: every text that the messages hold is in the result. */
export function chatMessages(messages: readonly RequestMessage[]): ChatMessage[] {
  const calls: CallsSoFar = { names: new Map(), legacyId: legacyIdOf(0) };
  return messages.map((message, index) => chatMessage(message, index, calls));
}

interface CallsSoFar {
  /** By id: the function that was called, of several with that id the latest. */
  readonly names: Map<string, string>;
  legacyId: string;
}

function chatMessage(message: RequestMessage, index: number, calls: CallsSoFar): ChatMessage {
  switch (message.role) {
    case "system":
    case "developer":
    case "user":
      return message;
    case "assistant": {
      const made = message.toolCalls?.map(toolCallOf) ?? [];
      if (message.functionCall !== undefined) {
        calls.legacyId = legacyIdOf(index);
        made.push({ id: calls.legacyId, type: "function", function: message.functionCall });
      }
      for (const call of made) calls.names.set(call.id, call.function.name);
      return {
        role: "assistant",
        content: withRefusal(message.content, message.refusal),
        ...(message.name !== undefined && { name: message.name }),
        ...(made.length > 0 && { tool_calls: made }),
      };
    }
    case "tool": {
      const { content, toolCallId } = message;
      return { role: "tool", content, name: calls.names.get(toolCallId)!, tool_call_id: toolCallId };
    }
    case "function":
      return { role: "tool", content: message.content ?? "", name: message.name, tool_call_id: calls.legacyId };
  }
}

/** A custom tool is shown to the model as a function with one text argument, and so are its calls. */
function toolCallOf(call: RequestToolCall): ToolCall {
  const { id, name } = call;
  const text = call.type === "function" ? call.arguments : JSON.stringify({ input: call.input });
  return { id, type: "function", function: { name, arguments: text } };
}

/** Legacy calls have no id, and their results name the function alone: the result belongs to the call before it. */
function legacyIdOf(index: number): string {
  return `call${String(index).padStart(5, "0")}`; // nine letters and digits, as Mistral's templates demand
}

/** A model that once refused said so in words, and that is what it reads again. */
function withRefusal(content: ChatMessage["content"], refusal: string | undefined): ChatMessage["content"] {
  if (refusal === undefined) return content;
  if (content === null || content === "") return refusal;
  const parts = typeof content === "string" ? [{ type: "text", text: content } as const] : content;
  return refusal === "" ? content : [...parts, { type: "text", text: `\n\n${refusal}` }];
}
