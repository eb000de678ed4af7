// A last message that is continued: the prompt ends where its content ends, whatever the template does to it and after it.
import { describe, expect, test } from "vitest";
import type { ChatMessage } from "../../src/chat/message.ts";
import { createTemplate, type RenderOptions } from "../../src/chat/template.ts";
import { demandedVariables, SPECIALS, TEMPLATES } from "./templates.ts";

const CONTROL_PIECES = ["<|im_start|>", "<|im_end|>", "</s>", "<s>"];

function render(source: string, messages: readonly ChatMessage[], options: Partial<RenderOptions> = {}): string {
  const template = createTemplate({ source, ...SPECIALS, controlPieces: CONTROL_PIECES });
  const segments = template.render(messages, {
    addGenerationPrompt: false,
    continueFinalMessage: true,
    now: new Date(0),
    ...options,
  });
  return segments.map(({ text }) => text).join("");
}

const ask = (content: ChatMessage["content"]): ChatMessage[] => [
  { role: "user", content: "How are you?" },
  { role: "assistant", content },
];

/** How each of the committed templates begins the answer that goes on. */
const HEADERS: Readonly<Record<string, string>> = {
  "ByteDance-Seed-OSS.jinja": "<seed:bos>assistant\n",
  "HuggingFaceTB-SmolLM2.jinja": "<|im_start|>assistant\n",
  "Mistral-Small-3.2-24B-Instruct-2506.jinja": "[INST]How are you?[/INST]",
  "Qwen-QwQ-32B.jinja": "<|im_start|>assistant\n",
  "Qwen-Qwen2.5-7B-Instruct.jinja": "<|im_start|>assistant\n",
  "Qwen-Qwen3-0.6B.jinja": "<|im_start|>assistant\n<think>\n\n</think>\n\n",
  "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B.jinja": "<｜Assistant｜>",
  "microsoft-Phi-3.5-mini-instruct.jinja": "<|assistant|>\n",
};

test.each(Object.entries(HEADERS))("%s: the content stands right behind %j", (name, header) => {
  for (const content of ["Fine, th", "Fine, ", "Fine.\n\n", "F", "<|im_end|>", "\ue000\uf8ff", ""]) {
    const rendered = render(TEMPLATES[name]!, ask(content));
    expect(rendered.slice(-(header + content).length)).toBe(header + content);
  }
});

describe.each(Object.keys(TEMPLATES))("%s", (name) => {
  const source = TEMPLATES[name]!;
  const variables = demandedVariables(name);

  test("what is continued is a start of what is closed, and ends with the content", () => {
    const history: ChatMessage[] = [{ role: "system", content: "Be brief." }, ...ask("Well."), ...ask("Fine, tha")];
    const continued = render(source, history, { variables });
    expect(continued.endsWith("Fine, tha")).toBe(true);
    const closed = render(source, history, { variables, continueFinalMessage: false });
    expect(closed.startsWith(continued)).toBe(true);
    expect(closed).not.toBe(continued);
  });

  test("no blank at the end is lost, and an empty content leaves the header alone", () => {
    const header = render(source, ask(""), { variables });
    for (const end of ["x ", "x\n", "x \n\n \t"]) expect(render(source, ask(end), { variables })).toBe(header + end);
    expect(render(source, ask([]), { variables })).toBe(header);
    expect(render(source, ask(null), { variables })).toBe(header);
    expect(render(source, ask([{ type: "text", text: "x" }, { type: "text", text: " " }]), { variables })).toBe(`${header}x `);
  }); // biome-ignore format: one claim a line

  test("reasoning may be stripped or moved, but the prompt ends with the answer", () => {
    for (const answer of ["4", "4 ", "4\n"]) {
      const rendered = render(source, ask(`<think>\nhm\n</think>\n\n${answer}`), { variables });
      expect(rendered.endsWith(answer)).toBe(true);
    }
  });

  test("a generation prompt that is asked for as well is not added", () => {
    const both = render(source, ask("Fine"), { variables, addGenerationPrompt: true });
    expect(both).toBe(render(source, ask("Fine"), { variables }));
  });
});

describe("refused as template_error, naming `messages`", () => {
  const EACH = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}";
  const call: ChatMessage = {
    role: "assistant",
    content: null,
    tool_calls: [{ id: "1", type: "function", function: { name: "f", arguments: "{}" } }],
  };
  test.each<[string, string, readonly ChatMessage[], string]>([
    ["no message", EACH, [], "not the assistant's"],
    ["a user's message", EACH, [{ role: "user", content: "Hi" }], "not the assistant's"],
    ["a message that calls", EACH, [call], "calls a function"],
    ["a template that leaves the last message out", "{% for m in messages[:-1] %}{{ m.content }}{% endfor %}", ask("Fine"), "leaves out"],
    ["a template that prints a part of it", "{{ messages[-1].content[:2] }}", ask("Fine"), "leaves out"],
    ["a template that prints it twice", `${EACH}{{ messages[-1].content }}`, ask("Fine"), "more than once"],
    ["a template that prints an earlier message behind it", `${EACH}{{ messages[0].content }}`, ask("Fine"), "another text behind it"],
    ["a template that refuses it", "{{ raise_exception('user last') }}", ask("Fine"), "user last"],
  ])("%s", (_, source, messages, words) => {
    expect(() => render(source, messages)).toThrow(
      expect.objectContaining({ code: "template_error", param: "messages", message: expect.stringContaining(words) }),
    );
  });
}); // biome-ignore format: a table

test("the template is told that the message goes on", () => {
  const source = "{{ continue_final_message is defined }}{{ add_generation_prompt }}{{ messages[-1].content }}";
  expect(render(source, ask("Fine"))).toBe("TrueFalseFine");
  expect(render(source, ask("Fine"), { continueFinalMessage: false })).toBe("FalseFalseFine");
});

test("a caller who types every private-use character neither ends the prompt nor opens it again", () => {
  const everyMark = Array.from({ length: 6400 }, (_, i) => String.fromCharCode(0xe000 + i)).join("");
  const rendered = render(TEMPLATES["HuggingFaceTB-SmolLM2.jinja"]!, ask(`${everyMark}<|im_end|>`));
  // One of them marks caller text, and is taken out of it.
  expect(rendered.slice(-6399 - "<|im_end|>".length).replace(/[\ue000-\uf8ff]/g, "")).toBe("<|im_end|>");
  expect(rendered.match(/[\ue000-\uf8ff]/g)?.length).toBe(6399);
});
