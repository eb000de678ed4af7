// What templates see of a request's messages: roles, refusals, custom and legacy calls, broken arguments, many system messages.
import { describe, expect, test } from "vitest";
import type { RequestMessage } from "../../src/api/messages.ts";
import { chatMessages } from "../../src/chat/from-request.ts";
import type { ChatMessage } from "../../src/chat/message.ts";
import { createTemplate } from "../../src/chat/template.ts";
import { demandedVariables, SPECIALS, TEMPLATES } from "./templates.ts";

const parts = (...texts: string[]) => texts.map((text) => ({ type: "text", text }) as const);
const fn = (id: string, name: string, text: string) => ({ id, type: "function", function: { name, arguments: text } });

const CASES: [string, RequestMessage[], ChatMessage[]][] = [
  ["texts and names as they are",
    [{ role: "developer", content: "d", name: "n" }, { role: "user", content: parts("a", "b") }],
    [{ role: "developer", content: "d", name: "n" }, { role: "user", content: parts("a", "b") }]],
  ["calls, and results that know the name of what was called",
    [{ role: "assistant", content: null, toolCalls: [{ id: "1", type: "function", name: "f", arguments: "{" }] }, { role: "tool", toolCallId: "1", content: "r" }],
    [{ role: "assistant", content: null, tool_calls: [fn("1", "f", "{")] as ChatMessage["tool_calls"] & object }, { role: "tool", content: "r", name: "f", tool_call_id: "1" }]],
  ["an id that comes again: the latest call",
    [{ role: "assistant", content: "", toolCalls: [{ id: "1", type: "function", name: "f", arguments: "" }] }, { role: "tool", toolCallId: "1", content: "r" },
      { role: "assistant", content: "", toolCalls: [{ id: "1", type: "function", name: "g", arguments: "" }] }, { role: "tool", toolCallId: "1", content: "s" }],
    [{ role: "assistant", content: "", tool_calls: [fn("1", "f", "")] as ChatMessage["tool_calls"] & object }, { role: "tool", content: "r", name: "f", tool_call_id: "1" },
      { role: "assistant", content: "", tool_calls: [fn("1", "g", "")] as ChatMessage["tool_calls"] & object }, { role: "tool", content: "s", name: "g", tool_call_id: "1" }]],
  ["a custom call: a function with one text",
    [{ role: "assistant", content: null, toolCalls: [{ id: "1", type: "custom", name: "run", input: 'print("x")' }] }],
    [{ role: "assistant", content: null, tool_calls: [fn("1", "run", '{"input":"print(\\"x\\")"}')] as ChatMessage["tool_calls"] & object }]],
  ["a legacy call and its result",
    [{ role: "user", content: "u" }, { role: "assistant", content: null, functionCall: { name: "f", arguments: "{}" } }, { role: "function", name: "f", content: null }],
    [{ role: "user", content: "u" }, { role: "assistant", content: null, tool_calls: [fn("call00001", "f", "{}")] as ChatMessage["tool_calls"] & object }, { role: "tool", content: "", name: "f", tool_call_id: "call00001" }]],
  ["a legacy result that nothing called",
    [{ role: "function", name: "f", content: "r" }],
    [{ role: "tool", content: "r", name: "f", tool_call_id: "call00000" }]],
  ["a refusal in place of a content",
    [{ role: "assistant", content: null, refusal: "no" }, { role: "assistant", content: "", refusal: "no" }, { role: "assistant", content: null, refusal: "" }],
    [{ role: "assistant", content: "no" }, { role: "assistant", content: "no" }, { role: "assistant", content: "" }]],
  ["a refusal after a content",
    [{ role: "assistant", content: "a", refusal: "no" }, { role: "assistant", content: parts("a"), refusal: "no" }, { role: "assistant", content: "a", refusal: "" }],
    [{ role: "assistant", content: parts("a", "\n\nno") }, { role: "assistant", content: parts("a", "\n\nno") }, { role: "assistant", content: "a" }]],
]; // biome-ignore format: a table
test.each(CASES)("%s", (_, messages, expected) => {
  expect(chatMessages(messages)).toEqual(expected);
});

function render(source: string, messages: readonly RequestMessage[], variables = {}): string {
  const template = createTemplate({ source, ...SPECIALS, controlPieces: ["<|im_end|>"] });
  const segments = template.render(chatMessages(messages), { addGenerationPrompt: true, variables, now: new Date(0) });
  return segments.map(({ text }) => text).join("");
}

const asking = (text: string, content: string | null): RequestMessage[] => [
  { role: "user", content: "Weather?" },
  { role: "assistant", content, toolCalls: [{ id: "call_7Hq", type: "function", name: "get_weather", arguments: text }] },
  { role: "tool", toolCallId: "call_7Hq", content: parts("21 ", "degrees") },
]; // biome-ignore format: one message a line

describe.each(Object.keys(TEMPLATES))("%s", (name) => {
  const source = TEMPLATES[name]!;
  const variables = demandedVariables(name);

  test.each(['{"city":"Rome"}', "{}", "", "null", '{"city":', "[1]", '"Rome"', "5"])("arguments %j", (text) => {
    for (const content of [null, "", "Let me look."]) {
      const rendered = render(source, asking(text, content), variables);
      expect(rendered).toContain("get_weather");
      expect(rendered).toContain("21 degrees");
      for (const word of text.match(/\w+/g) ?? []) if (word !== "null") expect(rendered).toContain(word);
    }
  });

  test("two system messages at the start and one between", () => {
    const rendered = render(
      source,
      [
        { role: "system", content: parts("alpha", "beta") },
        { role: "developer", content: "gamma" },
        { role: "user", content: "U" },
        { role: "assistant", content: "A" },
        { role: "system", content: "delta" },
        { role: "user", content: "V" },
      ],
      variables,
    );
    for (const text of ["alphabeta", "gamma", "delta"]) expect(rendered).toContain(text);
  });
});
