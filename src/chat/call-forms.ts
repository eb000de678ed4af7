// Calls and their results in a form that the template prints: some leave calls out beside a content, some know no tools at all.
import type { Call, Conversation } from "./accommodations.ts";
import type { TemplateTraits } from "./template-traits.ts";

type Message = Conversation["messages"][number];
/** A message with the arguments of its calls as the caller wrote them. */
type Entry = readonly [message: Message, argumentTexts: readonly string[]];

/** Every message's content is a text or null here, but for a user's. */
export function withPrintedCalls(conversation: Conversation, traits: TemplateTraits): Conversation {
  const entries = conversation.messages.map((message, index): Entry => [message, conversation.argumentTexts[index]!]);
  const called = entries.flatMap((entry) => printedCalls(entry, traits.printsCalls));
  const printed = traits.printsResults ? called : resultsAsUser(called);
  return {
    ...conversation,
    messages: printed.map(([message]) => message),
    argumentTexts: printed.map(([, texts]) => texts),
  };
}

/** As the caller has it where that is printed; else with no content or an empty one, in a message of its own; else as text. */
function printedCalls([message, texts]: Entry, prints: TemplateTraits["printsCalls"]): Entry[] {
  const calls = message["tool_calls"] as readonly Call[] | undefined;
  if (calls === undefined) return [[message, texts]];
  const content = message["content"] as string | null;
  const hasText = content !== null && content !== "";
  if (hasText ? prints.besideText : content === null ? prints.besideNull : prints.besideEmpty)
    return [[message, texts]];
  const { tool_calls, ...answer } = message;
  if (prints.besideNull || prints.besideEmpty) {
    const alone: Entry = [{ ...message, content: prints.besideNull ? null : "" }, texts];
    return hasText ? [[answer, []], alone] : [alone];
  }
  const lines = calls.map((call, place) => {
    const name = JSON.stringify(call.function.name);
    return `<tool_call>\n{"name": ${name}, "arguments": ${texts[place]!}}\n</tool_call>`;
  });
  return [[{ ...answer, content: [...(hasText ? [content] : []), ...lines].join("\n") }, []]];
}

/** Results that follow one another answer one message, so they are one message too. */
function resultsAsUser(entries: readonly Entry[]): Entry[] {
  const out: Entry[] = [];
  let open: string[] = [];
  const close = (): void => {
    if (open.length > 0) out.push([{ role: "user", content: open.join("\n") }, []]);
    open = [];
  };
  for (const entry of entries) {
    const [message] = entry;
    if (message["role"] === "tool") {
      open.push(`<tool_response>\n${message["content"]}\n</tool_response>`);
    } else {
      close();
      out.push(entry);
    }
  }
  close();
  return out;
}
