// What templates differ in: each accommodation rewrites a conversation for templates that refuse it as it is.
// They are tried when a template refuses, the smallest set of them first, each only where it changes anything.
import type { Json } from "../base/json.ts";
import type { ChatMessage, ContentPart } from "./message.ts";

/** A conversation on its way into a template. */
export interface Conversation {
  readonly messages: readonly { readonly [key: string]: Json | undefined }[];
  readonly tools: Json | undefined;
  /** The arguments of each message's calls, as the caller wrote them. */
  readonly argumentTexts: readonly (readonly string[])[];
}

/** Facts about a template, found by reading it and by a probe rendering. */
export interface TemplateTraits {
  /** It walks over lists of content parts itself. */
  readonly walksParts: boolean;
  readonly knowsDeveloper: boolean;
}

/** The first form that is tried: the messages as the API has them, with arguments as objects. */
export function conversationOf(
  messages: readonly ChatMessage[],
  tools: Json | undefined,
  traits: TemplateTraits,
): Conversation {
  return {
    messages: messages.map((message) => {
      // Only keys that are there: templates ask `'tool_calls' in message`.
      const { tool_calls, ...rest } = message;
      const role = message.role === "developer" && !traits.knowsDeveloper ? "system" : message.role;
      const calls = tool_calls?.map((call) => ({
        ...call,
        function: { ...call.function, arguments: parseArguments(call.function.arguments) },
      }));
      const content = contentOf(message.content, traits);
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

/** Some templates print the arguments of a call as text, others walk over them. Stands before what moves messages. */
function argumentsAsText(conversation: Conversation): Conversation | undefined {
  if (!conversation.messages.some((message) => message["tool_calls"] !== undefined)) return undefined;
  const messages = conversation.messages.map((message, index) => {
    const calls = message["tool_calls"] as readonly { readonly function: { readonly arguments: Json } }[] | undefined;
    if (calls === undefined) return message;
    const texts = calls.map((call, place) => {
      const text = conversation.argumentTexts[index]![place]!;
      return { ...call, function: { ...call.function, arguments: text } };
    });
    return { ...message, tool_calls: texts as unknown as Json };
  });
  return { ...conversation, messages };
}

/** One leading system message, where a template takes no other. */
function mergedSystem(conversation: Conversation): Conversation | undefined {
  const system = conversation.messages.filter(isSystem);
  if (system.length === 0 || (system.length === 1 && isSystem(conversation.messages[0]!))) return undefined;
  const rest = conversation.messages.filter((message) => !isSystem(message));
  return { ...conversation, messages: [{ ...system[0]!, content: joinTexts(system) }, ...rest] };
}

/** The system text at the head of the first user message, where a template knows no system role (Gemma, Mistral). */
function systemInUser(conversation: Conversation): Conversation | undefined {
  const [first, ...rest] = conversation.messages;
  const place = rest.findIndex(({ role }) => role === "user");
  if (first === undefined || !isSystem(first) || place < 0) return undefined;
  const user = rest[place]!;
  return { ...conversation, messages: rest.with(place, { ...user, content: joinTexts([first, user]) }) };
}

function isSystem(message: { readonly [key: string]: Json | undefined }): boolean {
  return message["role"] === "system" || message["role"] === "developer";
}

function joinTexts(messages: readonly { readonly [key: string]: Json | undefined }[]): string {
  return messages.map(({ content }) => flatten(content as ChatMessage["content"])).join("\n\n");
}

function contentOf(content: ChatMessage["content"], traits: TemplateTraits): Json {
  if (content === null || typeof content === "string") return content;
  return traits.walksParts ? (content as readonly unknown[] as readonly Json[]) : flatten(content);
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
