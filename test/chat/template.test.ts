// What the wrapper makes of conversations: roles, null contents, parts, arguments, system messages, built-in templates.
import { describe, expect, test } from "vitest";
import type { ChatMessage } from "../../src/chat/message.ts";
import { createTemplate } from "../../src/chat/template.ts";

const SPECIALS = { bosText: "<s>", eosText: "</s>" };
const GENERATE = { addGenerationPrompt: true } as const;

function render(
  source: string,
  messages: readonly ChatMessage[],
  options: Parameters<typeof renderWith>[2] = GENERATE,
) {
  return renderWith(source, messages, options);
}
function renderWith(
  source: string,
  messages: readonly ChatMessage[],
  options: Parameters<ReturnType<typeof createTemplate>["render"]>[1],
): string {
  const template = createTemplate({ source, ...SPECIALS, controlPieces: ["<|im_end|>"] });
  return template
    .render(messages, options)
    .map(({ text }) => text)
    .join("");
}

const EACH = "{% for m in messages %}[{{ m.role }}:{{ m.content }}]{% endfor %}";
const call = (text: string): ChatMessage => ({
  role: "assistant",
  content: null,
  tool_calls: [{ id: "1", type: "function", function: { name: "f", arguments: text } }],
});

test("a developer message is a system message, unless the template names the role", () => {
  const messages = [{ role: "developer", content: "Be brief." }] as const;
  expect(render(EACH, messages)).toBe("[system:Be brief.]");
  expect(render(`${EACH}{% if m.role == 'developer' %}{% endif %}`, messages)).toBe("[developer:Be brief.]");
});

test("system messages stay where they are if the template takes them there", () => {
  const messages: ChatMessage[] = [
    { role: "system", content: "A" },
    { role: "user", content: "Hi" },
    { role: "system", content: "B" },
  ];
  expect(render(EACH, messages)).toBe("[system:A][user:Hi][system:B]");
  const strict = `{% for m in messages %}{% if m.role == 'system' and not loop.first %}{{ raise_exception('first only') }}{% endif %}[{{ m.role }}:{{ m.content }}]{% endfor %}`;
  expect(render(strict, messages)).toBe("[system:A\n\nB][user:Hi]");
  const none = `{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}{% endif %}[{{ m.role }}:{{ m.content }}]{% endfor %}`;
  expect(render(none, messages)).toBe("[user:A\n\nB\n\nHi]");
});

test("null content reaches the template, and is empty text only for one that fails on it", () => {
  const prints = "{% for m in messages %}{{ m.content is none }}{{ m.tool_calls }}{% endfor %}";
  expect(render(prints, [call("{}")])).toContain("True[");
  const adds = "{% for m in messages %}{{ 'a' + m.content }}{{ m.tool_calls }}{% endfor %}";
  expect(render(adds, [call("{}")])).toContain("a[");
});

test("text parts are joined for templates that take texts, and kept for those that walk them", () => {
  const messages: ChatMessage[] = [
    {
      role: "user",
      content: [
        { type: "text", text: "a" },
        { type: "text", text: "b" },
      ],
    },
  ];
  expect(render(EACH, messages)).toBe("[user:ab]");
  const walks =
    "{% for m in messages %}{% if m.content is string %}{{ m.content }}{% else %}{% for p in m.content %}({{ p.text }}){% endfor %}{% endif %}{% endfor %}";
  expect(render(walks, messages)).toBe("(a)(b)");
});

describe("arguments of a tool call", () => {
  const tojson = "{{ messages[0].tool_calls[0].function.arguments | tojson }}";
  test.each([
    ['{"city":"Zürich"}', '{"city": "Zürich"}'],
    ["null", '"null"'],
    ["", '""'],
    ['{"a":', '"{\\"a\\":"'],
  ])("%j: an object where it is one, else the text", (text, rendered) => {
    expect(render(tojson, [call(text)])).toBe(rendered);
  });
  test("are the caller's text for templates that add them to text, before a missing content is made up", () => {
    const add = "{{ 'x' + messages[0].tool_calls[0].function.arguments }}";
    expect(render(add, [call('{"a": 1}')])).toBe('x{"a": 1}');
    const asked = `{% if messages[0].content is none %}${add}{% endif %}`;
    expect(render(asked, [{ ...call('{"a": 1}'), content: null }])).toBe('x{"a": 1}');
  });
});

test("templates that ask for the number of tools get an empty list", () => {
  expect(render("{{ tools + [] }}", [])).toBe("[]");
});

test("the template's own refusal is told in its words", () => {
  const template = createTemplate({
    source: "{{ raise_exception('Roles must alternate') }}",
    ...SPECIALS,
    controlPieces: [],
  });
  expect(() => template.render([], GENERATE)).toThrow(
    expect.objectContaining({ code: "template_error", message: expect.stringContaining("Roles must alternate") }),
  );
});

test("variables are passed on, but none that the engine sets", () => {
  const thinking = { ...GENERATE, variables: { enable_thinking: false } };
  expect(render("{{ enable_thinking }}", [], thinking)).toBe("False");
  expect(() => render("", [], { ...GENERATE, variables: { messages: [] } })).toThrow(
    expect.objectContaining({ code: "invalid_request" }),
  );
});

test("strftime_now tells the moment that is given", () => {
  const now = new Date(2025, 0, 2, 15, 4, 5);
  const source = "{{ strftime_now('%d %b %Y|%A %-d %B %y|%H:%M:%S|%I %p|%j|%%|%Q') }}";
  expect(render(source, [], { ...GENERATE, now })).toBe("02 Jan 2025|Thursday 2 January 25|15:04:05|03 PM|002|%|%Q");
});

test.each([
  ["{{ [1, 'a', \"it's\", true, none, 1.5] }}", `[1, 'a', "it's", True, None, 1.5]`],
  ["{{ {'a': [1], 'b': {}} }}", "{'a': [1], 'b': {}}"],
  ["{{ true }} {{ 1.0 }} {{ 0.0000001 }}", "True 1.0 1e-07"],
  ["{{ '' == 0 }}{{ none == undefined_name }}{{ [1, {'a': 2}] == [1, {'a': 2}] }}{{ 1 == 1.0 }}", "FalseFalseTrueTrue"],
  ["{{ 'ab' * 3 }}", "ababab"],
  ["{{ {'a': [], 'b': [1]} | tojson(indent=2) }}", '{\n  "a": [],\n  "b": [\n    1\n  ]\n}'],
  ["{% for k, v in {'a': 1}.items() %}{{ k }}{{ v }}{% endfor %}", "a1"],
  ["{% for x in nothing %}x{% else %}none{% endfor %}", "none"],
  ["a\r\n{% if true %}\r\nb{% endif %}", "a\nb"],
])("%j prints as in Python", (source, text) => {
  expect(render(source, [])).toBe(text);
});

describe("a file without a template", () => {
  const chat: ChatMessage[] = [
    { role: "system", content: "S" },
    { role: "user", content: "U" },
    { role: "assistant", content: "A" },
    { role: "user", content: "V" },
  ];
  test.each([
    [["<|im_start|>", "<|im_end|>", "<s>", "</s>"], "chatml", "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nU<|im_end|>\n<|im_start|>assistant\nA<|im_end|>\n<|im_start|>user\nV<|im_end|>\n<|im_start|>assistant\n"],
    [["<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"], "llama3", "<s><|start_header_id|>system<|end_header_id|>\n\nS<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nU<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nA<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nV<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"],
    [["<start_of_turn>", "<end_of_turn>"], "gemma", "<s><start_of_turn>user\nS\n\nU<end_of_turn>\n<start_of_turn>model\nA<end_of_turn>\n<start_of_turn>user\nV<end_of_turn>\n<start_of_turn>model\n"],
    [["<｜User｜>", "<｜Assistant｜>"], "deepseek", "<s>S<｜User｜>U<｜Assistant｜>A</s><｜User｜>V<｜Assistant｜>"],
    [["<|user|>", "<|assistant|>", "<|end|>"], "phi3", "<|system|>\nS<|end|>\n<|user|>\nU<|end|>\n<|assistant|>\nA<|end|>\n<|user|>\nV<|end|>\n<|assistant|>\n"],
    [["<|user|>", "<|assistant|>"], "zephyr", "<|system|>\nS</s>\n<|user|>\nU</s>\n<|assistant|>\nA</s>\n<|user|>\nV</s>\n<|assistant|>\n"],
    [["[INST]", "[/INST]", "<s>", "</s>"], "mistral", "<s>[INST] S\n\nU [/INST] A</s>[INST] V [/INST]"],
    [["<s>", "</s>", "<unk>"], "llama2", "<s>[INST] <<SYS>>\nS\n<</SYS>>\n\nU [/INST] A </s><s>[INST] V [/INST]"],
    [["<|endoftext|>"], "chatml", "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nU<|im_end|>\n<|im_start|>assistant\nA<|im_end|>\n<|im_start|>user\nV<|im_end|>\n<|im_start|>assistant\n"],
  ])("with %j takes %s", (controlPieces, name, text) => {
    const template = createTemplate({ ...SPECIALS, controlPieces });
    expect(template.origin).toBe(`builtin:${name}`);
    expect(template.render(chat, GENERATE).map((segment) => segment.text).join("")).toBe(text);
  });

  test("and one with a template says so", () => {
    expect(createTemplate({ source: "x", ...SPECIALS, controlPieces: [] }).origin).toBe("model");
  });
}); // biome-ignore format: a table

test("writesBos tells who adds the begin-of-text token", () => {
  const of = (source: string): boolean => createTemplate({ source, ...SPECIALS, controlPieces: [] }).writesBos;
  expect(of(`{{ bos_token }}${EACH}`)).toBe(true);
  expect(of(EACH)).toBe(false);
});

describe("calls and results reach the model whatever the template leaves out", () => {
  const conversation = (content: string | null): ChatMessage[] => [
    { role: "user", content: "Hi" },
    { role: "assistant", content, tool_calls: [{ id: "1", type: "function", function: { name: "f", arguments: '{"a":1}' } }] },
    { role: "tool", name: "f", tool_call_id: "1", content: "2" },
    { role: "tool", name: "f", tool_call_id: "1", content: "3" },
  ]; // biome-ignore format: one message a line
  const onlyWithoutContent =
    "{% for m in messages %}[{{ m.role }}:{% if m.content is none %}{{ m.tool_calls[0].function.name }}({{ m.tool_calls[0].function.arguments.a }}){% else %}{{ m.content }}{% endif %}]{% endfor %}";
  const onlyBesideText =
    "{% for m in messages %}{% if m.content %}[{{ m.content }}]{% if m.tool_calls %}{{ m.tool_calls }}{% endif %}{% endif %}{% endfor %}";
  const noTools = "{% for m in messages if m.role != 'tool' %}[{{ m.role }}:{{ m.content }}]{% endfor %}";
  test.each([
    ["an empty content becomes none", onlyWithoutContent, "", "[user:Hi][assistant:f(1)][tool:2][tool:3]"],
    ["a text stands before its calls", onlyWithoutContent, "Look:", "[user:Hi][assistant:Look:][assistant:f(1)][tool:2][tool:3]"],
    ["no tools: text in the forms that most models know", noTools, "Look:", '[user:Hi][assistant:Look:\n<tool_call>\n{"name": "f", "arguments": {"a":1}}\n</tool_call>][user:<tool_response>\n2\n</tool_response>\n<tool_response>\n3\n</tool_response>]'],
    ["no tools, no content", noTools, null, '[user:Hi][assistant:<tool_call>\n{"name": "f", "arguments": {"a":1}}\n</tool_call>][user:<tool_response>\n2\n</tool_response>\n<tool_response>\n3\n</tool_response>]'],
    ["calls that are printed beside a text alone", onlyBesideText, null, '[Hi][<tool_call>\n{"name": "f", "arguments": {"a":1}}\n</tool_call>][2][3]'],
  ])("%s", (_, source, content, text) => {
    expect(render(source, conversation(content))).toBe(text);
  }); // biome-ignore format: a table
});

test("system messages that a template would print one alone of, or none, are merged or moved", () => {
  const messages: ChatMessage[] = [
    { role: "system", content: "A" },
    { role: "developer", content: "B" },
    { role: "user", content: "Hi" },
    { role: "system", content: "C" },
  ];
  const last = "{% set ns = namespace(s='') %}{% for m in messages %}{% if m.role == 'system' %}{% set ns.s = m.content %}{% endif %}{% endfor %}({{ ns.s }}){% for m in messages if m.role != 'system' %}[{{ m.content }}]{% endfor %}";
  expect(render(last, messages)).toBe("(A\n\nB\n\nC)[Hi]");
  const none = "{% for m in messages if m.role != 'system' %}[{{ m.content }}]{% endfor %}";
  expect(render(none, messages)).toBe("[A\n\nB\n\nC\n\nHi]");
}); // biome-ignore format: templates on a line

test("ids of calls are as long as the template demands", () => {
  const source = "{% for m in messages %}{% for c in m.tool_calls or [] %}{% if c.id | length != 9 %}{{ raise_exception('9') }}{% endif %}{{ c.function.name }}{{ c.function.arguments }}:{{ c.id }} {% endfor %}{% if m.tool_call_id %}{{ m.content }}:{{ m.tool_call_id }} {% endif %}{% endfor %}";
  const long = (id: string): ChatMessage => ({ role: "assistant", content: null, tool_calls: [{ id, type: "function", function: { name: "f", arguments: "{}" } }] });
  const answer = (id: string): ChatMessage => ({ role: "tool", tool_call_id: id, content: "r" });
  expect(render(source, [long("call_aaaaaaaa"), answer("call_aaaaaaaa"), long("call_b"), answer("call_b")])).toBe(
    "f{}:call00000 r:call00000 f{}:call00001 r:call00001 ",
  );
  expect(render(source, [long("abcdefghi"), answer("abcdefghi")])).toBe("f{}:abcdefghi r:abcdefghi ");
}); // biome-ignore format: a template on a line

test("arguments that are no object are one where a template walks over them", () => {
  const source = "{% for m in messages %}{% for c in m.tool_calls or [] %}{% for k, v in c.function.arguments | items %}{{ k }}={{ v }};{% endfor %}.{% endfor %}{% endfor %}";
  for (const nothing of ["", " ", "null"]) expect(render(source, [call(nothing)])).toBe(".");
  expect(render(source, [call('{"a":')])).toBe('arguments={"a":;.');
  expect(render(source, [call('{"a": 1}'), call("")])).toBe("a=1;..");
}); // biome-ignore format: a template on a line
