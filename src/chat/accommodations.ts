// What templates differ in: each accommodation rewrites a conversation for templates that refuse it as it is.
// They are tried when a template refuses, the smallest set of them first, each only where it changes anything.
import type { Json } from "../base/json.ts";
import { withPrintedCalls } from "./call-forms.ts";
import type { ChatMessage, ContentPart } from "./message.ts";
import type { TemplateTraits } from "./template-traits.ts";

/** A conversation on its way into a template. */
export interface Conversation {
  readonly messages: readonly { readonly [key: string]: Json | undefined }[];
  readonly tools: Json | undefined;
  /** For each message the arguments of its calls, as the caller wrote them. */
  readonly argumentTexts: readonly (readonly string[])[];
}

/** The first form that is tried: the messages as the API has them, arguments as objects, and nothing where it would be lost. */
export function conversationOf(
  messages: readonly ChatMessage[],
  tools: Json | undefined,
  traits: TemplateTraits,
): Conversation {
  const conversation = withPrintedCalls(asTheyAre(messages, tools, traits), traits);
  if (traits.systemMessages === "all") return conversation;
  const merged = mergedSystem(conversation) ?? conversation;
  return traits.systemMessages === "one" ? merged : (systemInUser(merged) ?? merged);
}

function asTheyAre(messages: readonly ChatMessage[], tools: Json | undefined, traits: TemplateTraits): Conversation {
  return {
    messages: messages.map((message) => {
      // Only keys that are there: templates ask `'tool_calls' in message`.
      const { tool_calls, ...rest } = message;
      const role = message.role === "developer" && !traits.knowsDeveloper ? "system" : message.role;
      const calls = tool_calls?.map((call) => ({
        ...call,
        function: { ...call.function, arguments: parseArguments(call.function.arguments) },
      }));
      const content = contentOf(message, traits);
      return { ...rest, role, content, ...(calls && { tool_calls: calls }) };
    }),
    tools,
    argumentTexts: messages.map(({ tool_calls }) => tool_calls?.map((call) => call.function.arguments) ?? []),
  };
}

/** The least intrusive first: sets of one size are tried in this order. Undefined: this one changes nothing here. */
export const ACCOMMODATIONS: readonly ((conversation: Conversation) => Conversation | undefined)[] = [
  emptyToolList,
  argumentsAsText,
  argumentsAsObjects,
  shortCallIds,
  emptyForNull, // late: where DeepSeek's templates find a text, even an empty one, they leave the calls out
  mergedSystem,
  systemInUser,
];

/** Some templates ask `tools | length` without asking whether there are any. */
function emptyToolList(conversation: Conversation): Conversation | undefined {
  return conversation.tools === undefined || conversation.tools === null ? { ...conversation, tools: [] } : undefined;
}

/** Only on failure: DeepSeek's templates branch on `content is none`. */
function emptyForNull(conversation: Conversation): Conversation | undefined {
  if (!conversation.messages.some(({ content }) => content === null)) return undefined;
  const messages = conversation.messages.map((message) => ({ ...message, content: message["content"] ?? "" }));
  return { ...conversation, messages };
}

/** Some templates print the arguments of a call as text, others walk over them. */
function argumentsAsText(conversation: Conversation): Conversation | undefined {
  return mapCalls(conversation, (call, index, place) => {
    const text = conversation.argumentTexts[index]![place]!;
    return { ...call, function: { ...call.function, arguments: text } };
  });
}

/** For templates that walk over arguments, where a model wrote some that are no object: nothing at all, or broken JSON. */
function argumentsAsObjects(conversation: Conversation): Conversation | undefined {
  const isText = (call: Call): boolean => typeof call.function.arguments === "string";
  if (!conversation.messages.some((message) => callsOf(message)?.some(isText))) return undefined;
  return mapCalls(conversation, (call) => {
    if (!isText(call)) return call;
    const text = call.function.arguments as string;
    const isNothing = text.trim() === "" || text.trim() === "null";
    return { ...call, function: { ...call.function, arguments: isNothing ? {} : { arguments: text } } };
  });
}

/** Mistral's templates demand ids of nine letters and digits; the API's are longer. Calls are numbered in their order. */
function shortCallIds(conversation: Conversation): Conversation | undefined {
  const ids = new Set(conversation.messages.flatMap((message) => callsOf(message)?.map(({ id }) => id) ?? []));
  if ([...ids].every((id) => /^[a-zA-Z0-9]{9}$/.test(id))) return undefined;
  const numbers = new Map([...ids].map((id, number) => [id, `call${String(number).padStart(5, "0")}`]));
  const { messages, ...rest } = mapCalls(conversation, (call) => ({ ...call, id: numbers.get(call.id)! }))!;
  return {
    ...rest,
    messages: messages.map((message) => {
      const id = numbers.get(message["tool_call_id"] as string);
      return id === undefined ? message : { ...message, tool_call_id: id };
    }),
  };
}

/** A call on its way into a template. */
export interface Call {
  readonly id: string;
  readonly function: { readonly name: string; readonly arguments: Json };
}

function callsOf(message: Conversation["messages"][number]): readonly Call[] | undefined {
  return message["tool_calls"] as readonly Call[] | undefined;
}

/** Undefined where there are no calls. */
function mapCalls(
  conversation: Conversation,
  change: (call: Call, index: number, place: number) => Call,
): Conversation | undefined {
  if (!conversation.messages.some((message) => callsOf(message) !== undefined)) return undefined;
  const messages = conversation.messages.map((message, index) => {
    const calls = callsOf(message)?.map((call, place) => change(call, index, place));
    return calls === undefined ? message : { ...message, tool_calls: calls as unknown as Json };
  });
  return { ...conversation, messages };
}

/** One leading system message, where a template takes no other. */
function mergedSystem({ messages, argumentTexts, tools }: Conversation): Conversation | undefined {
  const system = messages.filter(isSystem);
  if (system.length === 0 || (system.length === 1 && isSystem(messages[0]!))) return undefined;
  const others = [...messages.keys()].filter((index) => !isSystem(messages[index]!));
  return {
    messages: [{ ...system[0]!, content: joinTexts(system) }, ...others.map((index) => messages[index]!)],
    argumentTexts: [[], ...others.map((index) => argumentTexts[index]!)],
    tools,
  };
}

/** The system text at the head of the first user message, where a template knows no system role (Gemma, Mistral). */
function systemInUser({ messages, argumentTexts, tools }: Conversation): Conversation | undefined {
  const [first, ...rest] = messages;
  const place = rest.findIndex(({ role }) => role === "user");
  if (first === undefined || !isSystem(first) || place < 0) return undefined;
  const user = rest[place]!;
  return {
    messages: rest.with(place, { ...user, content: joinTexts([first, user]) }),
    argumentTexts: argumentTexts.slice(1),
    tools,
  };
}

function isSystem(message: { readonly [key: string]: Json | undefined }): boolean {
  return message["role"] === "system" || message["role"] === "developer";
}

function joinTexts(messages: readonly { readonly [key: string]: Json | undefined }[]): string {
  return messages.map(({ content }) => flatten(content as ChatMessage["content"])).join("\n\n");
}

/** Templates that walk over a user's parts may still print the list of a tool's, or take the first part of the system's. */
function contentOf({ role, content }: ChatMessage, traits: TemplateTraits): Json {
  if (content === null || typeof content === "string") return content;
  return traits.walksParts && role === "user" ? (content as readonly unknown[] as readonly Json[]) : flatten(content);
}

function flatten(content: string | null | readonly ContentPart[]): string {
  if (content === null || typeof content === "string") return content ?? "";
  return content.map((part) => (part.type === "text" ? part.text : "")).join("");
}

/** The object that a call's arguments are; the text itself where it is not JSON for an object. */
function parseArguments(text: string): Json {
  try {
    const value: Json = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : text;
  } catch {
    return text;
  }
}
