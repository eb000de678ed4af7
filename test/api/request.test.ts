import { expect, test } from "vitest";
import { FIELDS, type FieldName, fieldsMarkdown } from "../../src/api/fields.ts";
import { parseRequest, type RequestLimits } from "../../src/api/request.ts";
import type { ChatCompletionCreateParamsBase } from "../../src/api/types.ts";
import { type EngineError, isEngineError } from "../../src/base/errors.ts";

const LIMITS: RequestLimits = {
  tokenizer: { vocabSize: 1000, endIds: new Set([2]), encode: () => Int32Array.of(7) },
  templateVariables: new Set(),
};
const MESSAGES = [{ role: "user", content: "Hi" }];
const BASE = { model: "m", messages: MESSAGES };
const parse = (fields: object = {}) => parseRequest({ ...BASE, ...fields }, LIMITS);

function errorOf(body: unknown): EngineError {
  try {
    parseRequest(body, LIMITS);
  } catch (error) {
    if (isEngineError(error)) return error;
    throw error;
  }
  throw new Error(`accepted: ${JSON.stringify(body)}`);
}

/** CONTRACT 1: every field of POST /chat/completions. */
const OPENAI_FIELDS =
  "messages model temperature top_p frequency_penalty presence_penalty logit_bias seed stop n max_completion_tokens max_tokens " +
  "logprobs top_logprobs stream stream_options response_format modalities audio prediction verbosity reasoning_effort " +
  "web_search_options tools tool_choice parallel_tool_calls functions function_call store metadata service_tier " +
  "prompt_cache_key prompt_cache_options prompt_cache_retention safety_identifier user moderation";

test("the table knows every field of the API and our three extensions, and no other", () => {
  const names = [...OPENAI_FIELDS.split(" "), "top_k", "min_p", "repetition_penalty"];
  expect(Object.keys(FIELDS).sort()).toEqual(names.sort());
});

test("the wire types name no field that the table lacks", () => {
  const typed: Exclude<keyof ChatCompletionCreateParamsBase, FieldName> extends never ? true : false = true;
  expect(typed).toBe(true);
});

test("defaults are OpenAI's, not the model card's", () => {
  const request = parse();
  expect(request).toMatchObject({ model: "m", stream: false, includeUsage: false, stop: [], namesServiceTier: false });
  expect(request.sampling).toMatchObject({
    temperature: 1,
    topP: 1,
    frequencyPenalty: 0,
    presencePenalty: 0,
    repetitionPenalty: 1,
    choice: 0,
  });
  for (const name of ["topK", "minP", "logprobs"]) expect(request.sampling).not.toHaveProperty(name);
  expect(request).not.toHaveProperty("maxTokens");
});

test("null and undefined mean absent, for every field", () => {
  for (const absent of [null, undefined]) {
    const optional = Object.keys(FIELDS).filter((name) => !(name in BASE));
    const { sampling, ...request } = parse(Object.fromEntries(optional.map((name) => [name, absent])));
    const { sampling: defaults, ...expected } = parse();
    expect(request).toEqual(expected);
    expect({ ...sampling, seed: 0n }).toEqual({ ...defaults, seed: 0n });
  }
});

test("every honoured field arrives", () => {
  const request = parse({
    stream: true,
    stream_options: { include_usage: true },
    temperature: 0,
    top_p: 0,
    seed: -1,
    max_completion_tokens: 5,
    stop: "x",
    frequency_penalty: -2,
    presence_penalty: 2,
    logit_bias: { "0": -100, "999": 100 },
    logprobs: true,
    top_logprobs: 20,
    user: "u",
    top_k: 40,
    min_p: 0.1,
    repetition_penalty: 1.1,
  });
  expect(request).toMatchObject({ stream: true, includeUsage: true, maxTokens: 5, stop: ["x"], user: "u" });
  expect(request.sampling).toEqual({
    temperature: 0,
    topP: 0,
    topK: 40,
    minP: 0.1,
    frequencyPenalty: -2,
    presencePenalty: 2,
    repetitionPenalty: 1.1,
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

test("seeds: the same number is the same seed, and none is drawn anew", () => {
  expect(parse({ seed: 5 }).sampling.seed).toBe(5n);
  expect(parse().sampling.seed).not.toBe(parse().sampling.seed);
});

const INVALID: [string, unknown, string | undefined, string][] = [
  ["no object", "hi", undefined, "invalid_type"],
  ["an array", [], undefined, "invalid_type"],
  ["no messages", { model: "m" }, "messages", "missing_required_parameter"],
  ["no model", { messages: MESSAGES }, "model", "missing_required_parameter"],
  ["an empty model", { ...BASE, model: "" }, "model", "empty_string"],
  ["an unknown field", { ...BASE, temprature: 1 }, "temprature", "unknown_parameter"],
  ["a field named as a prototype's", { ...BASE, constructor: 1 }, "constructor", "unknown_parameter"],
  ["messages no array", { ...BASE, messages: "Hi" }, "messages", "invalid_type"],
  ["no message at all", { ...BASE, messages: [] }, "messages", "empty_array"],
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
  ["temperature too high", { ...BASE, temperature: 2.1 }, "temperature", "decimal_above_max_value"],
  ["temperature too low", { ...BASE, temperature: -0.1 }, "temperature", "decimal_below_min_value"],
  ["temperature as text", { ...BASE, temperature: "1" }, "temperature", "invalid_type"],
  ["temperature NaN", { ...BASE, temperature: Number.NaN }, "temperature", "invalid_type"],
  ["temperature infinite", { ...BASE, temperature: Number.POSITIVE_INFINITY }, "temperature", "decimal_above_max_value"],
  ["top_p above 1", { ...BASE, top_p: 1.01 }, "top_p", "decimal_above_max_value"],
  ["a fractional seed", { ...BASE, seed: 1.5 }, "seed", "invalid_type"],
  ["a seed that no number holds", { ...BASE, seed: 2 ** 53 }, "seed", "integer_above_max_value"],
  ["max_tokens 0", { ...BASE, max_tokens: 0 }, "max_tokens", "integer_below_min_value"],
  ["both token limits", { ...BASE, max_tokens: 1, max_completion_tokens: 1 }, "max_tokens", "invalid_value"],
  ["an empty stop", { ...BASE, stop: "" }, "stop", "empty_string"],
  ["no stops", { ...BASE, stop: [] }, "stop", "empty_array"],
  ["five stops", { ...BASE, stop: ["a", "b", "c", "d", "e"] }, "stop", "array_above_max_length"],
  ["a stop no string", { ...BASE, stop: ["a", 1] }, "stop[1]", "invalid_type"],
  ["frequency_penalty too low", { ...BASE, frequency_penalty: -2.1 }, "frequency_penalty", "decimal_below_min_value"],
  ["a bias too high", { ...BASE, logit_bias: { "5": 101 } }, "logit_bias.5", "integer_above_max_value"],
  ["a fractional bias", { ...BASE, logit_bias: { "5": 0.5 } }, "logit_bias.5", "invalid_type"],
  ["a bias of a word", { ...BASE, logit_bias: { foo: 0 } }, "logit_bias.foo", "invalid_value"],
  ["a bias of no token", { ...BASE, logit_bias: { "1000": 1 } }, "logit_bias.1000", "invalid_value"],
  ["21 alternatives", { ...BASE, logprobs: true, top_logprobs: 21 }, "top_logprobs", "integer_above_max_value"],
  ["top_logprobs alone", { ...BASE, top_logprobs: 1 }, "top_logprobs", "invalid_value"],
  ["stream_options alone", { ...BASE, stream_options: {} }, "stream_options", "invalid_value"],
  ["an unknown stream option", { ...BASE, stream: true, stream_options: { x: 1 } }, "stream_options.x", "unknown_parameter"],
  ["include_usage as text", { ...BASE, stream: true, stream_options: { include_usage: "yes" } }, "stream_options.include_usage", "invalid_type"],
  ["stream as a number", { ...BASE, stream: 1 }, "stream", "invalid_type"],
  ["min_p above 1", { ...BASE, min_p: 2 }, "min_p", "decimal_above_max_value"],
  ["repetition_penalty 0", { ...BASE, repetition_penalty: 0 }, "repetition_penalty", "decimal_below_min_value"],
  ["n 129", { ...BASE, n: 129 }, "n", "integer_above_max_value"],
  ["an unknown tier", { ...BASE, service_tier: "gold" }, "service_tier", "invalid_value"],
  ["response_format as text", { ...BASE, response_format: "text" }, "response_format", "invalid_type"],
]; // biome-ignore format: a table
for (const [name, body, param, wireCode] of INVALID) {
  test(`invalid: ${name} -> ${wireCode}`, () => {
    const error = errorOf(body);
    expect([error.code, error.param, error.wireCode]).toEqual(["invalid_request", param, wireCode]);
    expect(error.toOpenAI()).toMatchObject({ type: "invalid_request_error", param: param ?? null, code: wireCode });
    expect(error.status).toBe(400);
  });
}

/** For each refused field a value that asks for something. */
const ASKING: Record<string, unknown> = {
  n: 2,
  response_format: { type: "json_object" },
  modalities: ["text", "audio"],
  audio: { voice: "ash", format: "wav" },
  prediction: { type: "content", content: "x" },
  verbosity: "low",
  reasoning_effort: "high",
  web_search_options: {},
  tools: [{ type: "function", function: { name: "f" } }],
  tool_choice: "auto",
  parallel_tool_calls: false,
  functions: [{ name: "f" }],
  function_call: "auto",
  store: true,
  metadata: { a: "b" },
  service_tier: "flex",
  prompt_cache_key: "k",
  prompt_cache_options: { mode: "explicit" },
  prompt_cache_retention: "24h",
  safety_identifier: "s",
  moderation: { model: "m" },
};
test("every refused field is in this file's list", () => {
  const refused = Object.entries(FIELDS).filter(([, { support }]) => support === "refused");
  expect(refused.map(([name]) => name).sort()).toEqual(Object.keys(ASKING).sort());
});
for (const [name, value] of Object.entries(ASKING)) {
  test(`refused by name: ${name}`, () => {
    expect(errorOf({ ...BASE, [name]: value })).toMatchObject({ code: "unsupported_parameter", param: name });
  });
}

const NOTHING: Record<string, unknown> = {
  n: 1,
  response_format: { type: "text" },
  modalities: ["text"],
  verbosity: "medium",
  reasoning_effort: "medium",
  tools: [],
  tool_choice: "none",
  parallel_tool_calls: true,
  function_call: "none",
  store: false,
  metadata: {},
  service_tier: "auto",
  logprobs: false,
};
test("values that ask for nothing pass", () => {
  const { seed: _, ...sampling } = parse(NOTHING).sampling;
  expect(sampling).toEqual({ ...parse().sampling, seed: undefined });
  expect(parse({ stream: true, stream_options: { include_obfuscation: false } }).includeUsage).toBe(false);
  expect(parse({ top_k: 0, min_p: 0 }).sampling).not.toHaveProperty("topK");
});

test("any body is a request or a typed refusal: 3,000 mutations", () => {
  const values = [null, 0, -1, 1.5, 1e300, "", "x", true, [], [[]], {}, { type: "text" }, Number.NaN, "\ud800", [null]];
  const names = [...Object.keys(FIELDS), "__proto__", "toString", ""];
  let state = 1;
  const pick = <T>(list: readonly T[]): T => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return list[(state >>> 16) % list.length] as T;
  };
  let accepted = 0;
  for (let i = 0; i < 3000; i++) {
    const entries = Array.from({ length: (i % 4) + 1 }, () => [pick(names), pick(values)]);
    try {
      parseRequest({ ...BASE, ...Object.fromEntries(entries) }, LIMITS);
      accepted++;
    } catch (error) {
      if (!isEngineError(error)) throw error;
      expect(["invalid_request", "unsupported_parameter"]).toContain(error.code);
    }
  }
  expect(accepted).toBeGreaterThan(50);
});

test("the README table has a row for each field", () => {
  const lines = fieldsMarkdown().split("\n");
  expect(lines.length).toBe(2 + Object.keys(FIELDS).length);
  expect(lines.find((line) => line.startsWith("| `n` |"))).toContain("refused, except `1`");
  expect(lines.find((line) => line.startsWith("| `top_k` |"))).toContain("yes (extension)");
});
