// What a checked request holds: defaults, every field's arrival, what is refused by name, and that no body escapes the checks.
import { describe, expect, test } from "vitest";
import { FIELDS, type FieldName } from "../../src/api/fields.ts";
import { parseRequest, requestedModel } from "../../src/api/request.ts";
import type { ChatCompletionCreateParamsBase, ChatCompletionExtensions } from "../../src/api/types.ts";
import { isEngineError } from "../../src/base/errors.ts";
import { BASE, errorOf, LIMITS, MESSAGES, parse } from "./parse.ts";

/** CONTRACT 1: every field of POST /chat/completions. */
const OPENAI_FIELDS =
  "messages model temperature top_p frequency_penalty presence_penalty logit_bias seed stop n max_completion_tokens max_tokens " +
  "logprobs top_logprobs stream stream_options response_format modalities audio prediction verbosity reasoning_effort " +
  "web_search_options tools tool_choice parallel_tool_calls functions function_call store metadata service_tier " +
  "prompt_cache_key prompt_cache_options prompt_cache_retention safety_identifier user moderation";

const EXTENSIONS =
  "top_k min_p typical_p top_n_sigma repetition_penalty dry_multiplier dry_base dry_allowed_length dry_penalty_last_n " +
  "dry_sequence_breakers xtc_probability xtc_threshold min_tokens ignore_eos stop_token_ids chat_template_kwargs " +
  "continue_final_message return_token_ids prompt_logprobs";

test("the table knows every field of the API and our extensions, and no other", () => {
  const extensions = Object.entries(FIELDS).filter(([, { support }]) => support === "extension");
  expect(Object.keys(FIELDS).sort()).toEqual([...OPENAI_FIELDS.split(" "), ...EXTENSIONS.split(" ")].sort());
  expect(extensions.map(([name]) => name)).toEqual(EXTENSIONS.split(" "));
});

test("the wire types name the table's fields, and no other", () => {
  type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;
  const all: Same<keyof ChatCompletionCreateParamsBase, FieldName> = true;
  type Extension = { [Name in FieldName]: (typeof FIELDS)[Name]["support"] extends "extension" ? Name : never };
  const extensions: Same<keyof ChatCompletionExtensions, Extension[FieldName]> = true;
  expect([all, extensions]).toEqual([true, true]);
});

test("defaults are OpenAI's, not the model card's, and what is off is left out", () => {
  const { sampling, ...request } = parse();
  expect(request).toEqual({
    model: "m",
    messages: MESSAGES,
    continueFinalMessage: false,
    templateVariables: {},
    stream: false,
    includeUsage: false,
    choiceCount: 1,
    stop: [],
    stopTokenIds: [],
    ignoreEos: false,
    tier: "default",
    namesServiceTier: false,
    returnTokenIds: false,
    cache: { exact: false },
  });
  expect(sampling).toEqual({
    temperature: 1,
    topP: 1,
    frequencyPenalty: 0,
    presencePenalty: 0,
    repetitionPenalty: 1,
    logitBias: new Map(),
    seed: expect.any(BigInt),
    choice: 0,
  });
});

test("every honoured field arrives", () => {
  const { sampling, ...request } = parse({
    stream: true,
    stream_options: { include_usage: true },
    temperature: 0,
    top_p: 0,
    seed: -1,
    max_completion_tokens: 5,
    stop: "x",
    n: 3,
    frequency_penalty: -2,
    presence_penalty: 2,
    logit_bias: { "0": -100, "999": 100 },
    logprobs: true,
    top_logprobs: 20,
    user: "u",
    safety_identifier: "s",
    prompt_cache_key: "k",
    metadata: { a: "b" },
    service_tier: "flex",
    prediction: {
      type: "content",
      content: [
        { type: "text", text: "one " },
        { type: "text", text: "text" },
      ],
    },
  });
  expect(request).toEqual({
    model: "m",
    messages: MESSAGES,
    continueFinalMessage: false,
    templateVariables: {},
    stream: true,
    includeUsage: true,
    choiceCount: 3,
    maxTokens: 5,
    stop: ["x"],
    stopTokenIds: [],
    ignoreEos: false,
    tier: "flex",
    namesServiceTier: true,
    returnTokenIds: false,
    metadata: { a: "b" },
    cache: { exact: true, lifetimeMs: 30 * 60_000 },
    user: "u",
    safetyIdentifier: "s",
    prediction: "one text",
  });
  expect(sampling).toEqual({
    temperature: 0,
    topP: 0,
    frequencyPenalty: -2,
    presencePenalty: 2,
    repetitionPenalty: 1,
    logitBias: new Map([
      [0, -100],
      [999, 100],
    ]),
    seed: 2n ** 64n - 1n,
    choice: 0,
    logprobs: 20,
  });
});

test("max_tokens is the older name; logprobs without top_logprobs has no alternatives", () => {
  expect(parse({ max_tokens: 7 }).maxTokens).toBe(7);
  expect(parse({ logprobs: true }).sampling.logprobs).toBe(0);
});

test("seeds: the same integer is the same seed over all 64 bits, and none is drawn anew", () => {
  const seeds = [5, "5", "-1", "9223372036854775807", "-9223372036854775808", "9007199254740993"];
  const found = seeds.map((seed) => parse({ seed }).sampling.seed);
  expect(found).toEqual([5n, 5n, 2n ** 64n - 1n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 53n + 1n]);
  expect(parse().sampling.seed).not.toBe(parse().sampling.seed);
});

test("metadata's keys are data, whatever they are called", () => {
  const { metadata } = parse({ metadata: JSON.parse('{"__proto__":"a","constructor":"b"}') });
  expect(Object.entries(metadata!)).toEqual([
    ["__proto__", "a"],
    ["constructor", "b"],
  ]);
});

test("the requested model is read before anything is checked, and whatever the body is", () => {
  const bodies = [{ model: "a", messages: 5 }, { model: "" }, { model: 5 }, {}, null, undefined, "model", [], 7];
  expect(bodies.map(requestedModel)).toEqual(["a", ...Array(8).fill(undefined)]);
  expect(requestedModel(Object.create({ model: "inherited" }))).toBeUndefined();
});

const INVALID: [string, unknown, string | undefined, string][] = [
  ["a message no object", { ...BASE, messages: ["Hi"] }, "messages[0]", "invalid_type"],
  ["no role", { ...BASE, messages: [{ content: "Hi" }] }, "messages[0].role", "missing_required_parameter"],
  ["an unknown role", { ...BASE, messages: [{ role: "bot", content: "" }] }, "messages[0].role", "invalid_value"],
  ["no content", { ...BASE, messages: [...MESSAGES, { role: "assistant", content: null }] }, "messages[1].content", "missing_required_parameter"],
  ["content no text", { ...BASE, messages: [{ role: "user", content: 5 }] }, "messages[0].content", "invalid_type"],
  ["no parts", { ...BASE, messages: [{ role: "user", content: [] }] }, "messages[0].content", "empty_array"],
  ["an unknown part", { ...BASE, messages: [{ role: "user", content: [{ type: "smell" }] }] }, "messages[0].content[0].type", "invalid_value"],
  ["a part without text", { ...BASE, messages: [{ role: "user", content: [{ type: "text" }] }] }, "messages[0].content[0].text", "missing_required_parameter"],
  ["an unknown key in a part", { ...BASE, messages: [{ role: "user", content: [{ type: "text", text: "", x: 1 }] }] }, "messages[0].content[0].x", "unknown_parameter"],
  ["an unknown key in a message", { ...BASE, messages: [{ role: "user", content: "", x: 1 }] }, "messages[0].x", "unknown_parameter"],
  ["tool_calls of a user", { ...BASE, messages: [{ role: "user", content: "", tool_calls: [] }] }, "messages[0].tool_calls", "unknown_parameter"],
  ["a name no string", { ...BASE, messages: [{ role: "user", content: "", name: 3 }] }, "messages[0].name", "invalid_type"],
]; // biome-ignore format: a table
for (const [name, body, param, wireCode] of INVALID) {
  test(`invalid: ${name} -> ${wireCode}`, () => {
    const error = errorOf(body);
    expect([error.code, error.param, error.wireCode]).toEqual(["invalid_request", param, wireCode]);
    expect(error.toOpenAI()).toMatchObject({ type: "invalid_request_error", param: param ?? null, code: wireCode });
    expect(error.status).toBe(400);
  });
}

/** For each refused field a well-formed value that asks for something. */
const ASKING: Record<string, unknown> = {
  response_format: { type: "json_schema", json_schema: { name: "n", schema: {}, strict: true } },
  modalities: ["text", "audio"],
  audio: { voice: { id: "v" }, format: "wav" },
  tools: [
    { type: "function", function: { name: "f", parameters: { type: "object" }, strict: true } },
    { type: "custom", custom: { name: "g", format: { type: "text" } } },
  ],
  functions: [{ name: "f" }],
  web_search_options: {},
  store: true,
  moderation: { model: "m", policy: { input: { mode: "block" } } },
};
/** These only mean something beside another that is refused, so that they are always alone. */
const ALONE = ["tool_choice", "parallel_tool_calls", "function_call"];

test("every refused field is in this file's lists", () => {
  const refused = Object.entries(FIELDS).filter(([, { support }]) => support === "refused");
  expect(refused.map(([name]) => name).sort()).toEqual([...Object.keys(ASKING), ...ALONE].sort());
});
for (const [name, value] of Object.entries(ASKING)) {
  test(`refused by name: ${name}`, () => {
    expect(errorOf({ ...BASE, [name]: value })).toMatchObject({ code: "unsupported_parameter", param: name });
  });
}
test("what stands beside refused tools is not what is refused", () => {
  const { tools, functions } = ASKING;
  expect(errorOf({ ...BASE, tool_choice: "required", tools }).param).toBe("tools");
  expect(errorOf({ ...BASE, function_call: { name: "f" }, functions }).param).toBe("functions");
});
test("a refused part of an honoured field is refused by its path", () => {
  const error = errorOf({ ...BASE, stream: true, stream_options: { include_obfuscation: true } });
  expect(error).toMatchObject({ code: "unsupported_parameter", param: "stream_options.include_obfuscation" });
});

test.each([
  [{}, { exact: false }],
  [{ seed: 0 }, { exact: true }],
  [{ temperature: 0 }, { exact: true }],
  [{ prompt_cache_key: "k" }, { exact: false, lifetimeMs: 1_800_000 }],
  [{ prompt_cache_options: { ttl: "30m" } }, { exact: false, lifetimeMs: 1_800_000 }],
  [{ prompt_cache_options: { mode: "implicit" } }, { exact: false }],
  [
    { prompt_cache_retention: "24h", prompt_cache_key: "k" },
    { exact: false, lifetimeMs: 86_400_000 },
  ],
  [{ prompt_cache_retention: "in_memory" }, { exact: false }],
])("what a request asks of the cache: %j", (fields, expected) => {
  expect(parse(fields).cache).toEqual(expected);
});
test("a cache of marked prefixes alone is refused by path", () => {
  const error = errorOf({ ...BASE, prompt_cache_options: { mode: "explicit" } });
  expect(error).toMatchObject({ code: "unsupported_parameter", param: "prompt_cache_options.mode" });
});

test("values that ask for nothing change nothing", () => {
  const nothing = {
    response_format: { type: "text" },
    modalities: ["text"],
    tools: [],
    store: false,
    logprobs: false,
    n: 1,
  };
  const { sampling, ...request } = parse(nothing);
  const { sampling: defaults, ...expected } = parse();
  expect(request).toEqual(expected);
  expect({ ...sampling, seed: 0n }).toEqual({ ...defaults, seed: 0n });
});

describe("any body is a request or a typed refusal", () => {
  const limits = { ...LIMITS, templateVariables: new Set(["verbosity", "thinking"]) };

  /** True for a request, false for a typed refusal; anything else that happens fails the test. */
  function isAccepted(body: unknown): boolean {
    try {
      parseRequest(body, limits);
      return true;
    } catch (error) {
      if (!isEngineError(error)) throw error;
      expect(["invalid_request", "unsupported_parameter"]).toContain(error.code);
      expect(error.param === undefined || typeof error.param === "string").toBe(true);
      return false;
    }
  }

  test("6,000 mutations", () => {
    const values = [
      null, 0, -1, 1, 1.5, 1e300, "", "x", "-9", "low", "none", true, [], [[]], {}, { type: "text" }, Number.NaN, "\ud800", [null],
      [7], ["a"], { a: "b" }, { thinking: {} }, { type: "function", function: { name: "f" } }, 2 ** 53, 1n, () => 1, Symbol.iterator,
    ]; // biome-ignore format: a list
    const names = [...Object.keys(FIELDS), "__proto__", "toString", ""];
    let state = 1;
    const pick = <T>(list: readonly T[]): T => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return list[(state >>> 16) % list.length] as T;
    };
    let accepted = 0;
    for (let i = 0; i < 6000; i++) {
      const entries = Array.from({ length: (i % 4) + 1 }, () => [pick(names), pick(values)]);
      if (isAccepted({ ...BASE, ...Object.fromEntries(entries) })) accepted++;
    }
    expect(accepted).toBeGreaterThan(100);
  });

  test("a body nested 100,000 levels deep, in every field", () => {
    let deep: unknown = {};
    for (let level = 0; level < 100_000; level++) deep = level % 2 === 0 ? [deep] : { type: deep, thinking: deep };
    for (const name of Object.keys(FIELDS)) {
      isAccepted({ ...BASE, [name]: deep });
      isAccepted({ ...BASE, [name]: [deep] });
    }
  });

  test("long values: 100,000 keys, a megabyte of text", () => {
    const wide = Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [i, 1]));
    const text = "x".repeat(2 ** 20);
    for (const name of Object.keys(FIELDS)) {
      for (const value of [wide, text, [text], { [text]: text }]) isAccepted({ ...BASE, [name]: value });
    }
  });
});
