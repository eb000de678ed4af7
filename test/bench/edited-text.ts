// An answer to be written anew with few changes, for measuring Predicted Outputs: the answer is what the model says by itself,
// greedily, with a penalty that keeps it from repeating itself; its prediction is that text with some words changed.
import type { ChatCompletionMessageParam } from "../../src/api/types.ts";

/** One word is changed for so many tokens. */
const TOKENS_A_CHANGE = 40;
const MESSAGES: ChatCompletionMessageParam[] = [
  { role: "user", content: "Write a long story about a lighthouse keeper." },
];

/** What asks for an answer of so many tokens. */
export function storyRequest(model: string, tokens: number) {
  return { model, messages: MESSAGES, temperature: 0, frequency_penalty: 1, max_tokens: tokens, ignore_eos: true };
}

/** The same where `text`, of so many tokens, is what is predicted but for its changes. */
export function editedStory(text: string, tokens: number) {
  const content = withChanges(text, Math.round(tokens / TOKENS_A_CHANGE));
  return { prediction: { type: "content" as const, content } };
}

/** Other words in so many places, each about as far from the next. */
function withChanges(text: string, changes: number): string {
  const words = text.split(/(?<=\s)(?=\S)/);
  for (let change = 0; change < changes; change++) {
    const place = Math.floor(((change + 0.5) * words.length) / changes);
    words[place] = words[place]!.replace(/^\S+/, "other");
  }
  return words.join("");
}
