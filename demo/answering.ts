// One message and its answer: sends the request, and fills the turn with what comes, until it ends in one way or another.
import { type ChatCompletionCreateParamsStreaming, type Engine, isEngineError } from "../src/index.ts";
import { addChunk, createChoices } from "./answer.ts";
import { problemOf, report } from "./problem.ts";
import { type RequestBody, requestOf } from "./request.ts";
import type { Settings } from "./settings/settings.ts";
import type { AssistantTurn, ModelState, Turn } from "./state.ts";

/** The turn of an answer that is about to be asked for; one that has failed already if the settings cannot be read. */
export function openTurn(
  { model, info }: Extract<ModelState, { name: "ready" }>,
  settings: Settings,
  turns: readonly Turn[],
  text: string,
): AssistantTurn {
  const turn: AssistantTurn = {
    role: "assistant",
    model,
    choices: createChoices(Number(settings.values.n)),
    chosen: 0,
    shownAs: settings.values.logprobs === true ? "tokens" : "text",
    sentAt: performance.now(),
  };
  try {
    return { ...turn, request: requestOf(info.id, settings, turns, text) };
  } catch (error) {
    fail(turn, error);
    return turn;
  }
}

/** Resolves when the answer has ended, however it did. `changed` is called after every chunk. */
export async function fillTurn(
  engine: Engine,
  turn: AssistantTurn,
  request: RequestBody,
  signal: AbortSignal,
  changed: () => void,
): Promise<void> {
  try {
    // The engine checks what the controls name; the types know no names that are made at run time.
    const params = request as unknown as ChatCompletionCreateParamsStreaming;
    for await (const chunk of await engine.chat.completions.create(params, { signal })) {
      addChunk(turn.choices, chunk, performance.now());
      if (chunk.usage) turn.usage = chunk.usage;
      changed();
    }
    turn.ending = signal.aborted ? "stopped" : "complete";
  } catch (error) {
    if (isEngineError(error, "aborted")) turn.ending = "stopped";
    else fail(turn, error);
  }
}

function fail(turn: AssistantTurn, error: unknown): void {
  turn.ending = "failed";
  turn.problem = problemOf(error);
  report(error);
}
