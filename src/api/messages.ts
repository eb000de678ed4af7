// The `messages` of a request: roles and parts as OpenAI writes them -> plain messages with one text each.
import {
  array,
  type Check,
  invalid,
  join,
  missing,
  object,
  string,
  unknown,
  unsupported,
  wrongType,
} from "./checks.ts";

/** Text, or the texts of its parts in order. */
export type RequestContent = string | readonly { readonly type: "text"; readonly text: string }[];

/** A call that an earlier answer made. `arguments` and `input` are the model's own text, perhaps broken. */
export type RequestToolCall =
  | { readonly id: string; readonly type: "function"; readonly name: string; readonly arguments: string }
  | { readonly id: string; readonly type: "custom"; readonly name: string; readonly input: string };

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
      readonly functionCall?: { readonly name: string; readonly arguments: string };
    }
  | { readonly role: "tool"; readonly content: RequestContent; readonly toolCallId: string }
  | { readonly role: "function"; readonly content: string | null; readonly name: string };

type Role = "system" | "developer" | "user" | "assistant";

const ROLES: readonly Role[] = ["system", "developer", "user", "assistant"];
const LATER_ROLES = ["tool", "function"];
const LATER_PARTS = ["image_url", "input_audio", "file", "refusal"];

/** Keys of a message beside `role` and `content`: which roles know them, and which value asks for nothing. */
const KEYS: Readonly<Record<string, { roles: readonly Role[]; passes?: (value: unknown) => boolean; advice: string }>> =
  {
    name: { roles: ROLES, passes: () => true, advice: "" },
    refusal: { roles: ["assistant"], advice: "Send the refusal's text as `content`." },
    annotations: {
      roles: ["assistant"],
      passes: isEmptyArray,
      advice: "Leave it out: no annotation reaches the model.",
    },
    audio: { roles: ["assistant"], advice: "This engine has no audio answers to refer to." },
    tool_calls: { roles: ["assistant"], advice: "Tools are not supported yet; send the call as text." },
    function_call: { roles: ["assistant"], advice: "Tools are not supported yet; send the call as text." },
  };

export const messages: Check<RequestMessage[]> = array(message, { min: 1, max: Number.POSITIVE_INFINITY });

function message(value: unknown, path: string): RequestMessage {
  const entries = object(value, path);
  const role = readRole(entries.get("role"), join(path, "role"));
  for (const [key, entry] of entries) {
    if (key === "role" || key === "content") continue;
    const known = Object.hasOwn(KEYS, key) ? KEYS[key] : undefined;
    if (!known?.roles.includes(role)) throw unknown(join(path, key));
    if (!known.passes?.(entry)) throw unsupported(join(path, key), known.advice);
  }
  const content = entries.get("content");
  if (content === undefined) throw missing(join(path, "content"));
  const name = entries.get("name");
  return {
    role,
    content: readContent(content, join(path, "content")),
    ...(name !== undefined && { name: string(name, join(path, "name")) }),
  };
}

function readRole(value: unknown, path: string): Role {
  if (value === undefined) throw missing(path);
  const role = string(value, path);
  if ((ROLES as readonly string[]).includes(role)) return role as Role;
  if (LATER_ROLES.includes(role))
    throw unsupported(path, `The role '${role}' is not supported yet: send the result as a user message.`);
  const expected = ROLES.map((name) => `'${name}'`).join(", ");
  throw invalid(path, "invalid_value", `Invalid value for '${path}': '${role}'. Expected one of: ${expected}.`);
}

function readContent(value: unknown, path: string): string {
  if (typeof value === "string") return value;
  if (Array.isArray(value)) return array(textPart, { min: 1, max: Number.POSITIVE_INFINITY })(value, path).join("");
  return wrongType(value, path, "a string or an array of text parts");
}

function textPart(value: unknown, path: string): string {
  const entries = object(value, path);
  const typePath = join(path, "type");
  if (!entries.has("type")) throw missing(typePath);
  const type = string(entries.get("type"), typePath);
  if (LATER_PARTS.includes(type)) throw unsupported(typePath, `Content of type '${type}' is not supported: send text.`);
  if (type !== "text")
    throw invalid(typePath, "invalid_value", `Invalid value for '${typePath}': '${type}'. Expected 'text'.`);
  for (const key of entries.keys()) {
    if (key === "prompt_cache_breakpoint")
      throw unsupported(join(path, key), "Prefixes are not cached yet: leave it out.");
    if (key !== "type" && key !== "text") throw unknown(join(path, key));
  }
  if (!entries.has("text")) throw missing(join(path, "text"));
  return string(entries.get("text"), join(path, "text"));
}

function isEmptyArray(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}
