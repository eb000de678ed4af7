// Chunks of several choices, interleaved, fold into the right texts, tokens and states.
import { expect, test } from "vitest";
import { addChunk, answerState, choiceState, createChoices } from "../../demo/answer.ts";
import { choiceFigures, requestFigures } from "../../demo/figures.ts";
import type { AssistantTurn } from "../../demo/state.ts";
import type { ChatCompletionChunk, FinishReason } from "../../src/index.ts";

function chunkOf(index: number, content?: string, finish: FinishReason | null = null): ChatCompletionChunk {
  const entry = { token: content ?? "", logprob: -0.5, bytes: [97], top_logprobs: [] };
  return {
    id: "chatcmpl-1",
    object: "chat.completion.chunk",
    created: 1,
    model: "tiny",
    system_fingerprint: "fp",
    choices: [
      {
        index,
        delta: content === undefined ? {} : { content },
        logprobs: content === undefined ? null : { content: [entry], refusal: null },
        finish_reason: finish,
      },
    ],
  };
}

const INTERLEAVED = [
  chunkOf(0, ""),
  chunkOf(1, "B"),
  chunkOf(0, "A"),
  chunkOf(1, "b"),
  chunkOf(1, undefined, "stop"),
  chunkOf(0, "a"),
  chunkOf(0, undefined, "length"),
];

test("each choice gets its own text, tokens, times and finish reason", () => {
  const choices = createChoices(2);
  INTERLEAVED.forEach((chunk, at) => {
    addChunk(choices, chunk, at * 10);
  });
  expect(choices).toMatchObject([
    { text: "Aa", pieces: 2, firstAt: 20, lastAt: 50, finish: "length" },
    { text: "Bb", pieces: 2, firstAt: 10, lastAt: 30, finish: "stop" },
  ]);
  expect(choices.map(({ tokens }) => tokens.map(({ token }) => token))).toEqual([
    ["", "A", "a"],
    ["B", "b"],
  ]);
});

test("a chunk of usage alone changes no choice", () => {
  const choices = createChoices(1);
  addChunk(choices, { ...chunkOf(0), choices: [] }, 5);
  expect(choices).toEqual(createChoices(1));
});

test("a choice that nobody asked for is a bug, not text", () => {
  expect(() => addChunk(createChoices(1), chunkOf(1, "x"), 0)).toThrow("asked for 1 choices and got number 1");
});

test("the states of choices and of their answer, chunk by chunk", () => {
  const choices = createChoices(2);
  const seen = INTERLEAVED.map((chunk) => {
    addChunk(choices, chunk, 0);
    return [...choices.map((choice) => choiceState(choice, undefined)), answerState(choices, undefined)].join(" ");
  });
  expect(seen).toEqual([
    "waiting waiting waiting",
    "waiting streaming streaming",
    "streaming streaming streaming",
    "streaming streaming streaming",
    "streaming done streaming",
    "streaming done streaming",
    "cut done streaming",
  ]);
  expect(answerState(choices, "complete")).toBe("cut");
});

test.each([
  ["complete", "stopped"],
  ["stopped", "stopped"],
  ["failed", "failed"],
] as const)("an answer that ends as %s without a finish reason is %s", (ending, state) => {
  const choices = createChoices(2);
  addChunk(choices, chunkOf(0, "x", "stop"), 0);
  expect(choiceState(choices[0]!, ending)).toBe("done");
  expect(choiceState(choices[1]!, ending)).toBe(state);
  expect(answerState(choices, ending)).toBe(state);
});

test("figures: the engine's own for one choice, those of the stream for several, the sum for the request", () => {
  const choices = createChoices(2);
  INTERLEAVED.forEach((chunk, at) => {
    addChunk(choices, chunk, 1000 + at * 100);
  });
  const turn: AssistantTurn = {
    role: "assistant",
    model: new URL("http://127.0.0.1/tiny.gguf"),
    choices,
    chosen: 0,
    shownAs: "text",
    sentAt: 1000,
    ending: "complete",
  };
  expect(choiceFigures(turn, choices[1]!)).toBe("finished · 5.0 tokens/s · first token after 100 ms · 2 tokens");
  expect(choiceFigures(turn, choices[0]!)).toMatch(
    /^cut at the token limit · .* · first token after 200 ms · 3 tokens$/,
  );
  expect(requestFigures(turn)).toBe("");
  const usage = { prompt_tokens: 12, completion_tokens: 5, total_tokens: 17 } as NonNullable<AssistantTurn["usage"]>;
  expect(requestFigures({ ...turn, usage })).toBe("2 answers · 5 tokens after 12 of the prompt");

  const stats = { completionTokens: 4, firstTokenMs: 50, decodeMs: 300 } as NonNullable<AssistantTurn["stats"]>;
  const alone = { ...turn, choices: [choices[0]!], stats };
  expect(choiceFigures(alone, choices[0]!)).toBe(
    "cut at the token limit · 10.0 tokens/s · first token after 50 ms · 4 tokens",
  );
});
