// Templates from strangers: bounded in steps, time, text and depth, and unable to reach anything but what they are given.
import { describe, expect, test } from "vitest";
import { isEngineError } from "../../src/base/errors.ts";
import { parseTemplate, runTemplate } from "../../src/chat/interpreter.ts";

const NOW = new Date(2025, 0, 2);
const run = (source: string): string =>
  runTemplate(parseTemplate(source), { messages: [{ role: "user", content: "Hi" }], word: "x" }, NOW);

function budgetOf(source: string): string {
  try {
    return `rendered ${run(source).length} units`;
  } catch (error) {
    if (isEngineError(error, "budget_exceeded")) return error.details!.budget;
    throw error;
  }
}

const DOUBLING = "{% set ns = namespace(s='xxxxxxxxxxxxxxxx') %}{% for i in range(40) %}";
const NESTED_LISTS =
  "{% set ns = namespace(l=['lol']) %}{% for i in range(30) %}{% set ns.l = [ns.l, ns.l, ns.l, ns.l] %}{% endfor %}";

describe("each of these runs out of a budget", () => {
  test.each([
    ["a huge range", "{{ range(1000000000) | length }}", "template_steps"],
    ["a huge range backwards", "{{ range(0, -1000000000, -1) | length }}", "template_steps"],
    ["a loop over a large range", "{% for i in range(150000) %}{{ i }}{% endfor %}", "template_steps"],
    [
      "deep loops",
      "{% for a in range(99) %}{% for b in range(99) %}{% for c in range(99) %}.{% endfor %}{% endfor %}{% endfor %}",
      "template_steps",
    ],
    ["a text times a number", "{{ 'x' * 1000000000 }}", "template_text"],
    ["a number times a text", "{{ 1000000000 * 'x' }}", "template_text"],
    ["doubling by +", `${DOUBLING}{% set ns.s = ns.s + ns.s %}{% endfor %}`, "template_text"],
    ["doubling by ~", `${DOUBLING}{% set ns.s = ns.s ~ ns.s %}{% endfor %}`, "template_text"],
    ["doubling by join", `${DOUBLING}{% set ns.s = [ns.s, ns.s] | join %}{% endfor %}`, "template_text"],
    ["doubling by a block", `${DOUBLING}{% set ns.s %}{{ ns.s }}{{ ns.s }}{% endset %}{% endfor %}`, "template_text"],
    ["growing by replace", `${DOUBLING}{% set ns.s = ns.s | replace('x', 'xxxx') %}{% endfor %}`, "template_text"],
    ["growing by .replace", `${DOUBLING}{% set ns.s = ns.s.replace('x', 'xxxx') %}{% endfor %}`, "template_text"],
    ["a wide indent", "{{ ('a\\n' * 1000) | indent(100000000) }}", "template_text"],
    ["a wide JSON indent", "{{ messages | tojson(indent=100000000) }}", "template_text"],
    [
      "many long texts",
      "{% set ns = namespace(l=[]) %}{% for i in range(60) %}{% set ns.l = ns.l + [('x' * 3000000) | upper] %}{% endfor %}",
      "template_text_made",
    ],
    ["a long text in many parts", "{{ ('a,' * 1000000).split(',') | length }}", "template_steps"],
    ["lists of lists as JSON", `${NESTED_LISTS}{{ ns.l | tojson }}`, "template_steps"],
    ["lists of lists as text", `${NESTED_LISTS}{{ ns.l }}`, "template_steps"],
    ["lists of lists compared", `${NESTED_LISTS}{{ ns.l == [ns.l[0], ns.l[0], ns.l[0], ns.l[0]] }}`, "template_steps"],
    [
      "doubling a list",
      "{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = ns.l + ns.l %}{% endfor %}",
      "template_steps",
    ],
    ["a macro that calls itself", "{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}", "template_depth"],
    ["20,000 brackets", `{{ ${"(".repeat(20_000)}1${")".repeat(20_000)} }}`, "template_depth"],
    ["20,000 lists in each other", `{{ ${"[".repeat(20_000)}${"]".repeat(20_000)} }}`, "template_depth"],
    ["20,000 nested ifs", `${"{% if true %}".repeat(20_000)}${"{% endif %}".repeat(20_000)}`, "template_depth"],
    ["a source of 2 MB", "x".repeat(2_000_000), "template_source"],
  ])("%s", (_, source, budget) => {
    expect([budget, "template_milliseconds"]).toContain(budgetOf(source)); // on a busy machine the clock may come first
  });
});

test("slow operations inside the step budget run out of time", () => {
  const source = `{% set s = 'ab' * 1000000 %}{% for i in range(10000) %}{% if s[::-1] == i %}x{% endif %}{% endfor %}`;
  expect(["template_milliseconds", "template_text_made"]).toContain(budgetOf(source));
});

test("ordinary long chats stay inside the budgets", () => {
  const messages = Array.from({ length: 400 }, (_, i) => ({
    role: i % 2 === 0 ? "user" : "assistant",
    content: "word ".repeat(1000),
  }));
  const source =
    "{% for m in messages %}{% if m.role == 'user' or loop.last %}[{{ m.role }}]{{ m.content | trim }}{% else %}{{ m.content.split('</think>')[-1] }}{% endif %}{% endfor %}";
  expect(runTemplate(parseTemplate(source), { messages }, NOW).length).toBeGreaterThan(1_900_000);
});

const INERT = [
  "{{ ''.constructor }}",
  "{{ ''.__class__ }}",
  "{{ ''.__class__.__mro__[1].__subclasses__() }}",
  "{{ messages.__proto__ }}",
  "{{ messages[0].__proto__ }}",
  "{{ messages[0]['__proto__'] }}",
  "{{ messages[0]['constructor']['constructor']('return 1')() }}",
  "{{ messages.constructor.constructor('return globalThis')() }}",
  "{{ raise_exception.constructor('return 1')() }}",
  "{{ range.__globals__ }}",
  "{{ namespace.prototype }}",
  "{{ self.__init__.__globals__ }}",
  "{{ cycler.__init__.__globals__.os }}",
  "{{ lipsum.__globals__['os'].popen('id').read() }}",
  "{{ globalThis }}{{ window }}{{ process }}{{ require }}",
  "{{ [].map.constructor }}",
  "{{ word.builtins }}{{ word.value }}{{ word.type }}",
];

test("there are 17 probes", () => {
  expect(INERT.length).toBe(17);
});

test.each(INERT)("%s reaches nothing", (source) => {
  let rendered: string;
  try {
    rendered = run(source);
  } catch (error) {
    expect(error).toMatchObject({ code: "template_error" });
    return;
  }
  expect(rendered).toBe("");
});

test("a template cannot change what another rendering sees", () => {
  const program = parseTemplate("{% set messages = [] %}{% set range = none %}{{ word }}{% set word = 'y' %}");
  for (let time = 0; time < 2; time++) expect(runTemplate(program, { messages: [], word: "x" }, NOW)).toBe("x");
});

test.each([
  ["{{ raise_exception('Only user first') }}", "Only user first"],
  ["{% if %}", "chat template failed"],
  ["{{ 1 | no_such_filter }}", "no_such_filter"],
])("%s is a template_error that says why", (source, message) => {
  expect(() => run(source)).toThrow(
    expect.objectContaining({ code: "template_error", message: expect.stringContaining(message) }),
  );
});
