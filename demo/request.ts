// What a message is sent as: the conversation so far and the settings, in OpenAI's own names.
import type { Json } from "../src/base/json.ts";
import { fieldsOf, type Settings } from "./settings/settings.ts";
import type { Turn } from "./state.ts";

/** The body of a request, as it goes to the engine and as it is copied. Controls name its fields; the engine checks them. */
export type RequestBody = Readonly<Record<string, Json>>;

/** @throws EngineError `invalid_request` for a setting that cannot be read */
export function requestOf(model: string, settings: Settings, turns: readonly Turn[], text: string): RequestBody {
  return {
    model,
    messages: messagesOf(settings.system, turns, text),
    ...fieldsOf(settings.values),
    stream: true,
    stream_options: { include_usage: true },
  };
}

/** Goes on from the chosen answers. One without any text is left out, with the question that it did not answer. */
function messagesOf(system: string, turns: readonly Turn[], text: string): Json[] {
  const messages: Json[] = [];
  if (system.trim() !== "") messages.push({ role: "system", content: system });
  turns.forEach((turn, index) => {
    const answer = turn.role === "assistant" ? turn : turns[index + 1];
    if (answer?.role !== "assistant") return;
    const { text: answered } = answer.choices[answer.chosen]!;
    if (answered === "") return;
    messages.push({ role: turn.role, content: turn.role === "user" ? turn.text : answered });
  });
  messages.push({ role: "user", content: text });
  return messages;
}
