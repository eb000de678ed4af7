// An answer as it grows: chunks of several choices, interleaved, become texts, tokens and finish reasons. Plain data, no DOM.
import { invariant } from "../src/base/invariant.ts";
import type { ChatCompletionChunk, ChatCompletionTokenLogprob, FinishReason } from "../src/index.ts";

/** One of the answers to a request. Times are those of `performance.now()`. */
export interface Choice {
  readonly index: number;
  text: string;
  /** The tokens of `text`; empty unless the request asked for logprobs. */
  readonly tokens: ChatCompletionTokenLogprob[];
  /** How many pieces its text came in, which is about how many tokens it has. */
  pieces: number;
  firstAt?: number;
  lastAt?: number;
  finish?: FinishReason;
}

/** How the stream of an answer ended; absent while it runs. */
export type Ending = "complete" | "stopped" | "failed";

export type AnswerState = "waiting" | "streaming" | "done" | "cut" | "stopped" | "failed";

export function createChoices(count: number): Choice[] {
  return Array.from({ length: count }, (_, index) => ({ index, text: "", tokens: [], pieces: 0 }));
}

export function addChunk(choices: readonly Choice[], chunk: ChatCompletionChunk, now: number): void {
  for (const { index, delta, logprobs, finish_reason } of chunk.choices) {
    const choice = choices[index];
    invariant(choice !== undefined, `the request asked for ${choices.length} choices and got number ${index}`);
    choice.tokens.push(...(logprobs?.content ?? []));
    if (delta.content) {
      choice.text += delta.content;
      choice.pieces++;
      choice.firstAt ??= now;
      choice.lastAt = now;
    }
    if (finish_reason !== null) choice.finish = finish_reason;
  }
}

export function choiceState(choice: Choice, ending: Ending | undefined): AnswerState {
  if (choice.finish !== undefined) return choice.finish === "length" ? "cut" : "done";
  if (ending === "failed") return "failed";
  // A stream that was stopped ends quietly, so that a choice without a finish reason was stopped.
  if (ending !== undefined) return "stopped";
  return choice.text === "" ? "waiting" : "streaming";
}

/** Of all choices together: open while one is, and then the least whole of their states. */
export function answerState(choices: readonly Choice[], ending: Ending | undefined): AnswerState {
  const states = choices.map((choice) => choiceState(choice, ending));
  if (ending === undefined) return states.every((state) => state === "waiting") ? "waiting" : "streaming";
  if (ending === "failed") return "failed";
  return (["stopped", "cut"] as const).find((state) => states.includes(state)) ?? "done";
}
