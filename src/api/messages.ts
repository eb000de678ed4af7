// The `messages` of a request: six roles, their keys and contents as OpenAI writes them -> messages as the engine reads them.
import { array, type Check, invalid, join, missing, object, oneOf, string, unsupported } from "./checks.ts";
import { type RequestContent, readContent, readRefusalPart } from "./content-parts.ts";
import { allowKeys, type Entries, optional, required } from "./entries.ts";
import { checkOrder } from "./message-order.ts";
import { functionCall, type RequestFunctionCall, type RequestToolCall, toolCalls } from "./tool-calls.ts";

export type { RequestContent, RequestToolCall };

/** A message after validation. */
export type RequestMessage =
  | { readonly role: "system" | "developer" | "user"; readonly content: RequestContent; readonly name?: string }
  | {
      readonly role: "assistant";
      /** Null only beside calls or a refusal. */
      readonly content: RequestContent | null;
      readonly name?: string;
      readonly refusal?: string;
      readonly toolCalls?: readonly RequestToolCall[];
      readonly functionCall?: RequestFunctionCall;
    }
  | { readonly role: "tool"; readonly content: RequestContent; readonly toolCallId: string }
  | { readonly role: "function"; readonly content: string | null; readonly name: string };

/** Every message by itself, then the order of calls and their results (CONTRACT of the API, sections 2.1 to 2.3). */
export const messages: Check<RequestMessage[]> = (value, path) => {
  const checked = array(message, { min: 1, max: Number.POSITIVE_INFINITY })(value, path);
  checkOrder(checked, path);
  return checked;
};

type Role = RequestMessage["role"];

/** Keys of a message beside `role` and `content`. */
const KEYS: Readonly<Record<Role, readonly string[]>> = {
  system: ["name"],
  developer: ["name"],
  user: ["name"],
  assistant: ["name", "refusal", "annotations", "audio", "tool_calls", "function_call"],
  tool: ["tool_call_id"],
  function: ["name"],
};
const role = oneOf(...(Object.keys(KEYS) as Role[]));

function message(value: unknown, path: string): RequestMessage {
  const entries = object(value, path);
  const kind = required(entries, path, "role", role);
  allowKeys(entries, path, ["role", "content", ...KEYS[kind]]);
  switch (kind) {
    case "system":
    case "developer":
    case "user":
      return { role: kind, content: required(entries, path, "content", readContent(kind)), ...nameOf(entries, path) };
    case "assistant":
      return assistantMessage(entries, path);
    case "tool":
      return {
        role: kind,
        content: required(entries, path, "content", readContent(kind)),
        toolCallId: required(entries, path, "tool_call_id", string),
      };
    case "function":
      // The one content that has to be there and may be null.
      if ((value as { readonly content?: unknown }).content === undefined) throw missing(join(path, "content"));
      return {
        role: kind,
        content: optional(entries, path, "content", string) ?? null,
        name: required(entries, path, "name", string),
      };
  }
}

function assistantMessage(entries: Entries, path: string): RequestMessage {
  checkAnnotations(entries.get("annotations"), join(path, "annotations"));
  checkAudio(entries.get("audio"), join(path, "audio"));
  const refusalPart = readRefusalPart(entries.get("content"), join(path, "content"));
  const content = refusalPart === undefined ? optional(entries, path, "content", readContent("assistant")) : undefined;
  const refusalKey = optional(entries, path, "refusal", string);
  if (refusalPart !== undefined && refusalKey !== undefined) {
    const at = join(path, "refusal");
    throw invalid(at, "invalid_value", `Invalid '${at}': the content is a refusal already. Send one of the two.`);
  }
  const refusal = refusalPart ?? refusalKey;
  const calls = optional(entries, path, "tool_calls", toolCalls);
  const call = optional(entries, path, "function_call", functionCall);
  if (content === undefined && refusal === undefined && calls === undefined && call === undefined)
    throw missing(join(path, "content"));
  return {
    role: "assistant",
    content: content ?? null,
    ...nameOf(entries, path),
    ...(refusal !== undefined && { refusal }),
    ...(calls !== undefined && { toolCalls: calls }),
    ...(call !== undefined && { functionCall: call }),
  };
}

/** Answers carry an empty list of them, which comes back with the message; no template could print others. */
function checkAnnotations(value: unknown, path: string): void {
  if (value === undefined) return;
  if (array(object, { min: 0, max: Number.POSITIVE_INFINITY })(value, path).length > 0)
    throw unsupported(path, "No annotation reaches the model: leave them out, or write them into the content.");
}

function checkAudio(value: unknown, path: string): void {
  if (value === undefined) return;
  const entries = object(value, path);
  allowKeys(entries, path, ["id"]);
  required(entries, path, "id", string);
  throw unsupported(path, "This engine makes no audio answers that could be referred to: send the answer's text.");
}

function nameOf(entries: Entries, path: string): { name?: string } {
  const name = optional(entries, path, "name", string);
  return name === undefined ? {} : { name };
}
