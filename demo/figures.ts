// The line under an answer: how it ended, how fast it was, how long it is.
import type { AnswerState, Choice } from "./answer.ts";
import { choiceState } from "./answer.ts";
import { formatDuration } from "./format.ts";
import type { AssistantTurn } from "./state.ts";

/** Live figures while it streams; the engine's own once it has ended, where they are of this choice alone. */
export function choiceFigures(turn: AssistantTurn, choice: Choice): string {
  const stats = turn.choices.length === 1 ? turn.stats : undefined;
  const count = stats?.completionTokens ?? (choice.tokens.length > 0 ? choice.tokens.length : choice.pieces);
  const since = choice.firstAt === undefined ? undefined : choice.firstAt - turn.sentAt;
  const first = stats && stats.firstTokenMs > 0 ? stats.firstTokenMs : since;
  const decodeMs = stats && stats.decodeMs > 0 ? stats.decodeMs : (choice.lastAt ?? 0) - (choice.firstAt ?? 0);
  return line([
    endOf(choice, choiceState(choice, turn.ending)),
    decodeMs > 0 && count > 1 && `${(((count - 1) * 1000) / decodeMs).toFixed(1)} tokens/s`,
    first !== undefined && `first token after ${formatDuration(first)}`,
    count > 0 && `${count} tokens`,
  ]);
}

/** What the choices of a request have in common; empty where there is one only. */
export function requestFigures({ choices, usage, stats }: AssistantTurn): string {
  if (choices.length === 1 || usage === undefined) return "";
  const { prompt_tokens: prompt, completion_tokens: completion } = usage;
  const rate = stats !== undefined && stats.decodeMs > 0 && (completion * 1000) / stats.decodeMs;
  return line([
    `${choices.length} answers`,
    typeof rate === "number" && `${rate.toFixed(1)} tokens/s in all`,
    `${completion} tokens after ${prompt} of the prompt`,
  ]);
}

function endOf({ finish }: Choice, state: AnswerState): string | false {
  switch (state) {
    case "waiting":
    case "streaming":
      return false;
    case "cut":
      return "cut at the token limit";
    case "done":
      return finish === "stop" ? "finished" : (finish ?? false);
    case "stopped":
    case "failed":
      return state;
    default:
      return state satisfies never;
  }
}

function line(parts: readonly (string | false)[]): string {
  return parts.filter((part) => part !== false).join(" · ");
}
