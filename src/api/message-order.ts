// The order of messages: calls are answered right after they are made, each once, and nothing else is an answer.
import { invalid, shown } from "./checks.ts";
import type { RequestMessage } from "./messages.ts";

/** Enough to recognise a turn by. */
const MAX_IDS_SHOWN = 5;

/**
 * Only calls of tools have an order to keep; system and other messages may stand anywhere. The older `function_call` has no ids
 * to check by.
 *
 * @throws EngineError `invalid_request` naming the role of the message that stands where an answer is missing, of the last one
 *   where the answers are missing at the end, or of an answer that no call asked for
 */
export function checkOrder(messages: readonly RequestMessage[], path: string): void {
  let open = new Set<string>(); // ids of calls that wait for their answer
  let answered = new Set<string>();
  for (const [index, message] of messages.entries()) {
    const at = `${path}[${index}]`;
    if (message.role === "tool") {
      if (open.delete(message.toolCallId)) answered.add(message.toolCallId);
      else throw unasked(message.toolCallId, at, { open, answered });
      continue;
    }
    if (open.size > 0) throw unanswered(open, `${at}.role`);
    answered = new Set();
    if (message.role === "assistant") open = new Set(message.toolCalls?.map(({ id }) => id));
  }
  if (open.size > 0) throw unanswered(open, `${path}[${messages.length - 1}].role`);
}

function unanswered(open: ReadonlySet<string>, param: string) {
  const ids = [...open].slice(0, MAX_IDS_SHOWN).map((id) => `'${shown(id)}'`);
  const more = open.size > ids.length ? ` and ${open.size - ids.length} more` : "";
  return invalid(
    param,
    "invalid_value",
    `Invalid '${param}': an assistant message with 'tool_calls' must be followed by one message of role 'tool' for each ` +
      `'tool_call_id', before any other. Without an answer: ${ids.join(", ")}${more}.`,
  );
}

interface Calls {
  readonly open: ReadonlySet<string>;
  readonly answered: ReadonlySet<string>;
}

function unasked(id: string, at: string, { open, answered }: Calls) {
  if (open.size + answered.size === 0) {
    const text = `Invalid '${at}.role': a message of role 'tool' must answer a preceding assistant message with 'tool_calls'.`;
    return invalid(`${at}.role`, "invalid_value", text);
  }
  const param = `${at}.tool_call_id`;
  const reason = answered.has(id) ? "was answered already" : "is no call of the assistant message before it";
  return invalid(param, "invalid_value", `Invalid '${param}': '${shown(id)}' ${reason}.`);
}
