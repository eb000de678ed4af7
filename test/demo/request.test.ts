// The conversation goes on from the chosen answers, and leaves out questions without one.
import { expect, test } from "vitest";
import { createChoices } from "../../demo/answer.ts";
import { requestOf } from "../../demo/request.ts";
import { DEFAULT_SETTINGS } from "../../demo/settings/settings.ts";
import type { Turn } from "../../demo/state.ts";

const question = (text: string): Turn => ({ role: "user", text });

function answer(texts: readonly string[], chosen = 0): Turn {
  const choices = createChoices(texts.length).map((choice, index) => ({ ...choice, text: texts[index]! }));
  return { role: "assistant", model: new URL("http://127.0.0.1/"), choices, chosen, shownAs: "text", sentAt: 0 };
}

const messagesOf = (turns: readonly Turn[], system = "") =>
  requestOf("tiny", { ...DEFAULT_SETTINGS, system }, turns, "next")["messages"];

test("a request names the model, streams, and asks for the usage", () => {
  expect(requestOf("tiny", DEFAULT_SETTINGS, [], "hello")).toEqual({
    model: "tiny",
    messages: [{ role: "user", content: "hello" }],
    temperature: 0.2,
    top_p: 0.9,
    max_completion_tokens: 512,
    stream: true,
    stream_options: { include_usage: true },
  });
});

test("the chosen answer is what the assistant said", () => {
  expect(messagesOf([question("one"), answer(["a", "b", "c"], 2)], "Be brief.")).toEqual([
    { role: "system", content: "Be brief." },
    { role: "user", content: "one" },
    { role: "assistant", content: "c" },
    { role: "user", content: "next" },
  ]);
});

test("a question whose answer has no text is left out with it", () => {
  const turns = [
    question("one"),
    answer([""]),
    question("two"),
    answer(["", "b"], 0),
    question("three"),
    answer(["c"]),
  ];
  expect(messagesOf(turns)).toEqual([
    { role: "user", content: "three" },
    { role: "assistant", content: "c" },
    { role: "user", content: "next" },
  ]);
});
