// What a request may set in the model's chat template, and the fields of OpenAI's that are switches there.
import { describe, expect, test } from "vitest";
import { BASE, errorOf, parse } from "./parse.ts";

const declaring = (...names: string[]) => ({ templateVariables: new Set(names) });

/** What the template declares, what the request says, which variables the template gets. */
const SET: [declared: string[], fields: object, variables: object][] = [
  [["reasoning_effort"], { reasoning_effort: "high" }, { reasoning_effort: "high" }],
  [["reasoning_effort"], { reasoning_effort: "none" }, { reasoning_effort: "none" }],
  [["reasoning_effort", "enable_thinking"], { reasoning_effort: "low" }, { reasoning_effort: "low" }],
  [["enable_thinking"], { reasoning_effort: "none" }, { enable_thinking: false }],
  [["enable_thinking"], { reasoning_effort: "minimal" }, { enable_thinking: true }],
  [["thinking"], { reasoning_effort: "none" }, { thinking: false }],
  [["thinking"], { reasoning_effort: "max" }, { thinking: true }],
  [["verbosity"], { verbosity: "medium" }, { verbosity: "medium" }],
  [["verbosity", "lang"], { verbosity: "low", chat_template_kwargs: { lang: "de" } }, { verbosity: "low", lang: "de" }],
  [["x"], { chat_template_kwargs: { x: [1, { y: null }, "z", false] } }, { x: [1, { y: null }, "z", false] }],
  [["x"], {}, {}],
]; // biome-ignore format: a table

test.each(SET)("a template that reads %j takes %j", (declared, fields, variables) => {
  expect(parse(fields, declaring(...declared)).templateVariables).toEqual(variables);
});

test.each([
  ["reasoning_effort", "medium"],
  ["reasoning_effort", "none"],
  ["verbosity", "medium"],
])("%s: %s is refused, as any value, by a template without a switch for it", (name, value) => {
  const error = errorOf({ ...BASE, [name]: value }, declaring("lang"));
  expect(error).toMatchObject({ code: "unsupported_parameter", param: name, status: 400 });
});

describe("chat_template_kwargs", () => {
  test("names what the template reads when it does not read a name", () => {
    const error = errorOf({ ...BASE, chat_template_kwargs: { messages: [] } }, declaring("lang", "enable_thinking"));
    expect(error).toMatchObject({ param: "chat_template_kwargs.messages", wireCode: "unknown_parameter" });
    expect(error.message).toBe(
      "Unknown parameter: 'chat_template_kwargs.messages'. This model's chat template reads: enable_thinking, lang.",
    );
  });

  test("may not set what a field sets as well", () => {
    const body = { ...BASE, reasoning_effort: "low", chat_template_kwargs: { enable_thinking: true } };
    expect(errorOf(body, declaring("enable_thinking"))).toMatchObject({
      param: "chat_template_kwargs.enable_thinking",
      wireCode: "invalid_value",
      message:
        "'reasoning_effort' sets the chat template's variable 'enable_thinking' as well: leave out one of the two.",
    });
  });

  test("holds JSON and nothing else", () => {
    for (const value of [Number.NaN, 1n, () => 1, Symbol.iterator]) {
      const error = errorOf({ ...BASE, chat_template_kwargs: { x: { y: [0, value] } } }, declaring("x"));
      expect(error).toMatchObject({ param: "chat_template_kwargs.x.y[1]", wireCode: "invalid_type" });
    }
    const error = errorOf({ ...BASE, chat_template_kwargs: { x: new Array(2) } }, declaring("x"));
    expect(error).toMatchObject({ param: "chat_template_kwargs.x[0]", wireCode: "invalid_type" });
  });

  test("is at most 32 levels deep and 10,000 values large, however its parts are shared", () => {
    const nested = (levels: number) => {
      let value: unknown = [];
      for (let level = 1; level < levels; level++) value = [value];
      return { ...BASE, chat_template_kwargs: { x: value } };
    };
    const codeOf = (body: unknown) => errorOf(body, declaring("x")).wireCode;
    expect(() => parse(nested(32), declaring("x"))).not.toThrow();
    expect(codeOf(nested(33))).toBe("invalid_value");
    expect(codeOf({ ...BASE, chat_template_kwargs: { x: Array(10_000).fill(0) } })).toBe("invalid_value");
    let doubling: unknown = 0;
    for (let level = 0; level < 30; level++) doubling = [doubling, doubling];
    expect(codeOf({ ...BASE, chat_template_kwargs: { x: doubling } })).toBe("invalid_value");
  });
});
