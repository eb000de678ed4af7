// The calls of an assistant message: functions with JSON arguments, custom tools with free text, and the older single call.
import { array, type Check, invalid, object, oneOf, shown, string } from "./checks.ts";
import { allowKeys, required } from "./entries.ts";

/** A call that an earlier answer made. `arguments` and `input` are the model's own text, perhaps broken. */
export type RequestToolCall =
  | { readonly id: string; readonly type: "function"; readonly name: string; readonly arguments: string }
  | { readonly id: string; readonly type: "custom"; readonly name: string; readonly input: string };

/** The deprecated form, which has no id: the message of the role `function` that follows is its result. */
export interface RequestFunctionCall {
  readonly name: string;
  readonly arguments: string;
}

/** At least one: OpenAI refuses an empty list. Results name a call by its id, so each id stands once in a message. */
export const toolCalls: Check<RequestToolCall[]> = (value, path) => {
  const calls = array(toolCall, { min: 1, max: Number.POSITIVE_INFINITY })(value, path);
  const seen = new Set<string>();
  for (const [place, { id }] of calls.entries()) {
    const at = `${path}[${place}].id`;
    if (seen.has(id))
      throw invalid(at, "invalid_value", `Invalid '${at}': two calls of one message have the id '${shown(id)}'.`);
    seen.add(id);
  }
  return calls;
};

export const functionCall: Check<RequestFunctionCall> = (value, path) => {
  const entries = object(value, path);
  allowKeys(entries, path, ["name", "arguments"]);
  return {
    name: required(entries, path, "name", nonEmpty),
    arguments: required(entries, path, "arguments", string),
  };
};

const toolCall: Check<RequestToolCall> = (value, path) => {
  const entries = object(value, path);
  const type = required(entries, path, "type", oneOf("function", "custom"));
  allowKeys(entries, path, ["id", "type", type]);
  const id = required(entries, path, "id", nonEmpty);
  if (type === "function") return { id, type, ...required(entries, path, type, functionCall) };
  return { id, type, ...required(entries, path, type, customCall) };
};

const customCall: Check<{ name: string; input: string }> = (value, path) => {
  const entries = object(value, path);
  allowKeys(entries, path, ["name", "input"]);
  return { name: required(entries, path, "name", nonEmpty), input: required(entries, path, "input", string) };
};

const nonEmpty: Check<string> = (value, path) => {
  const text = string(value, path);
  if (text !== "") return text;
  throw invalid(path, "empty_string", `Invalid '${path}': empty string. Expected at least one character.`);
};
