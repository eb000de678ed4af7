// CONTRACT 1 and 1.6 as tables: what each field accepts at its bounds, and how it refuses what is beyond them.
import { describe, expect, test } from "vitest";
import { FIELDS } from "../../src/api/fields.ts";
import { openAIFaults } from "./openai-schema.ts";
import { BASE, errorOf, LIMITS, MESSAGES, parse } from "./parse.ts";

const PAIRS_16 = Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`k${i}`, "v"]));
const ASSISTANT_LAST = [...MESSAGES, { role: "assistant", content: "Well" }];
const TEMPLATE = { templateVariables: new Set(["reasoning_effort", "verbosity", "lang"]) };

/** Values at the bounds of each field; further fields where one needs them. */
const ACCEPTED: Record<keyof typeof FIELDS, object[]> = {
  messages: [{ messages: MESSAGES }, { messages: ASSISTANT_LAST }],
  model: [{ model: "x" }],
  stream: [{ stream: true }, { stream: false }],
  stream_options: [{ stream: true, stream_options: {} }, { stream: true, stream_options: { include_usage: true, include_obfuscation: false } }],
  temperature: [{ temperature: 0 }, { temperature: 2 }],
  top_p: [{ top_p: 0 }, { top_p: 1 }],
  seed: [{ seed: Number.MIN_SAFE_INTEGER }, { seed: 0 }, { seed: Number.MAX_SAFE_INTEGER }],
  max_completion_tokens: [{ max_completion_tokens: 1 }, { max_completion_tokens: Number.MAX_SAFE_INTEGER }],
  max_tokens: [{ max_tokens: 1 }],
  stop: [{ stop: "a" }, { stop: ["a"] }, { stop: ["a", "b", "c", "d"] }],
  n: [{ n: 1 }, { n: 128 }],
  frequency_penalty: [{ frequency_penalty: -2 }, { frequency_penalty: 2 }],
  presence_penalty: [{ presence_penalty: -2 }, { presence_penalty: 2 }],
  logit_bias: [{ logit_bias: {} }, { logit_bias: { "0": -100, "999": 100 } }],
  logprobs: [{ logprobs: true }, { logprobs: false }],
  top_logprobs: [{ logprobs: true, top_logprobs: 0 }, { logprobs: true, top_logprobs: 20 }],
  reasoning_effort: ["none", "minimal", "low", "medium", "high", "xhigh", "max"].map((effort) => ({ reasoning_effort: effort })),
  verbosity: [{ verbosity: "low" }, { verbosity: "medium" }, { verbosity: "high" }],
  user: [{ user: "" }, { user: "u" }],
  safety_identifier: [{ safety_identifier: "😀".repeat(64) }],
  prompt_cache_key: [{ prompt_cache_key: "" }, { prompt_cache_key: "k" }],
  metadata: [{ metadata: {} }, { metadata: PAIRS_16 }, { metadata: { ["k".repeat(64)]: "v".repeat(512) } }],
  service_tier: ["auto", "default", "flex", "scale", "priority", "fast"].map((tier) => ({ service_tier: tier })),
  top_k: [{ top_k: 0 }, { top_k: 5000 }],
  min_p: [{ min_p: 0 }, { min_p: 1 }],
  typical_p: [{ typical_p: Number.MIN_VALUE }, { typical_p: 1 }],
  top_n_sigma: [{ top_n_sigma: 0 }, { top_n_sigma: 1000 }],
  repetition_penalty: [{ repetition_penalty: 0.01 }, { repetition_penalty: 100 }],
  dry_multiplier: [{ dry_multiplier: 0 }, { dry_multiplier: 5.5 }],
  dry_base: [{ dry_base: 1 }, { dry_base: 4 }],
  dry_allowed_length: [{ dry_allowed_length: 0 }, { dry_allowed_length: 9 }],
  dry_penalty_last_n: [{ dry_penalty_last_n: -1 }, { dry_penalty_last_n: 0 }, { dry_penalty_last_n: 64 }],
  dry_sequence_breakers: [{ dry_sequence_breakers: [] }, { dry_sequence_breakers: ["\n"] }],
  xtc_probability: [{ xtc_probability: 0 }, { xtc_probability: 1 }],
  xtc_threshold: [{ xtc_threshold: 0 }, { xtc_threshold: 1 }],
  min_tokens: [{ min_tokens: 0 }, { min_tokens: 5, max_tokens: 5 }],
  ignore_eos: [{ ignore_eos: true }, { ignore_eos: false }],
  stop_token_ids: [{ stop_token_ids: [] }, { stop_token_ids: [0, 999, 0] }],
  chat_template_kwargs: [{ chat_template_kwargs: {} }, { chat_template_kwargs: { lang: { a: [1, null, "x", true] } } }],
  continue_final_message: [{ messages: ASSISTANT_LAST, continue_final_message: true }, { continue_final_message: false }],
  return_token_ids: [{ return_token_ids: true }, { return_token_ids: false }],
  prompt_logprobs: [{ prompt_logprobs: 0 }, { prompt_logprobs: 20 }],
  response_format: [{ response_format: { type: "text" } }],
  modalities: [{ modalities: ["text"] }],
  audio: [],
  prediction: [
    { prediction: { type: "content", content: "" } },
    { prediction: { type: "content", content: [{ type: "text", text: "a", prompt_cache_breakpoint: { mode: "explicit" } }] } },
  ],
  tools: [{ tools: [] }],
  tool_choice: [],
  parallel_tool_calls: [],
  functions: [],
  function_call: [],
  web_search_options: [],
  store: [{ store: false }],
  moderation: [],
  prompt_cache_options: [{ prompt_cache_options: {} }, { prompt_cache_options: { ttl: "30m", mode: "implicit" } }],
  prompt_cache_retention: [{ prompt_cache_retention: "in_memory" }, { prompt_cache_retention: "24h" }],
}; // biome-ignore format: a table

describe("accepted at its bounds", () => {
  test.each(Object.entries(ACCEPTED))("%s", (_, cases) => {
    for (const fields of cases) expect(() => parse(fields, TEMPLATE)).not.toThrow();
  });

  test("and by OpenAI's schema as well", () => {
    const faultsOf = openAIFaults("CreateChatCompletionRequest");
    for (const fields of Object.values(ACCEPTED).flat())
      expect({ fields, faults: faultsOf({ ...BASE, ...fields }) }).toEqual({ fields, faults: [] });
    expect(faultsOf({ ...BASE, n: 129 })).not.toEqual([]); // the judge is awake
  });
});

const TYPE = "invalid_type";
const VALUE = "invalid_value";
const UNKNOWN = "unknown_parameter";
const MISSING = "missing_required_parameter";
const TOO_LOW = "decimal_below_min_value";
const TOO_HIGH = "decimal_above_max_value";
const INTEGER_LOW = "integer_below_min_value";
const INTEGER_HIGH = "integer_above_max_value";
const TOO_LONG = "string_above_max_length";
const TOO_MANY = "array_above_max_length";

/**
 * Fields of a request, where the fault is, its wire code. Tools and schemas are refused by name once they are well-formed, so
 * that CONTRACT 1.6's rules on tools among each other and on a schema's subset have nothing to hold yet.
 */
const INVALID: [fields: object, param: string, wireCode: string][] = [
  [{ messages: undefined }, "messages", MISSING],
  [{ messages: [] }, "messages", "empty_array"],
  [{ messages: "Hi" }, "messages", TYPE],
  [{ messages: ["Hi"] }, "messages[0]", TYPE],
  [{ messages: new Array(3) }, "messages[0]", TYPE],
  [{ model: undefined }, "model", MISSING],
  [{ model: "" }, "model", "empty_string"],
  [{ model: 5 }, "model", TYPE],
  [{ stream: 1 }, "stream", TYPE],
  [{ stream_options: {} }, "stream_options", VALUE],
  [{ stream: false, stream_options: {} }, "stream_options", VALUE],
  [{ stream: true, stream_options: [] }, "stream_options", TYPE],
  [{ stream: true, stream_options: { x: 1 } }, "stream_options.x", UNKNOWN],
  [{ stream: true, stream_options: { include_usage: "yes" } }, "stream_options.include_usage", TYPE],
  [{ temperature: "1" }, "temperature", TYPE],
  [{ temperature: Number.NaN }, "temperature", TYPE],
  [{ temperature: -0.1 }, "temperature", TOO_LOW],
  [{ temperature: 2.1 }, "temperature", TOO_HIGH],
  [{ temperature: Number.POSITIVE_INFINITY }, "temperature", TOO_HIGH],
  [{ top_p: -0.1 }, "top_p", TOO_LOW],
  [{ top_p: 1.1 }, "top_p", TOO_HIGH],
  [{ seed: 1.5 }, "seed", TYPE],
  [{ seed: true }, "seed", TYPE],
  [{ seed: 2 ** 53 }, "seed", INTEGER_HIGH],
  [{ seed: -(2 ** 53) }, "seed", INTEGER_LOW],
  [{ seed: Number.POSITIVE_INFINITY }, "seed", INTEGER_HIGH],
  [{ seed: "9223372036854775808" }, "seed", VALUE],
  [{ seed: "-9223372036854775809" }, "seed", VALUE],
  [{ seed: "0x10" }, "seed", VALUE],
  [{ seed: "" }, "seed", VALUE],
  [{ max_completion_tokens: 0 }, "max_completion_tokens", INTEGER_LOW],
  [{ max_completion_tokens: 1.5 }, "max_completion_tokens", TYPE],
  [{ max_tokens: 0 }, "max_tokens", INTEGER_LOW],
  [{ max_tokens: 1, max_completion_tokens: 1 }, "max_tokens", VALUE],
  [{ stop: 5 }, "stop", TYPE],
  [{ stop: "" }, "stop", "empty_string"],
  [{ stop: [] }, "stop", "empty_array"],
  [{ stop: ["a", ""] }, "stop[1]", "empty_string"],
  [{ stop: ["a", 1] }, "stop[1]", TYPE],
  [{ stop: new Array(2) }, "stop[0]", TYPE],
  [{ stop: ["a", "b", "c", "d", "e"] }, "stop", TOO_MANY],
  [{ n: 0 }, "n", INTEGER_LOW],
  [{ n: 129 }, "n", INTEGER_HIGH],
  [{ n: "2" }, "n", TYPE],
  [{ frequency_penalty: -2.1 }, "frequency_penalty", TOO_LOW],
  [{ frequency_penalty: 2.1 }, "frequency_penalty", TOO_HIGH],
  [{ presence_penalty: -2.1 }, "presence_penalty", TOO_LOW],
  [{ presence_penalty: 2.1 }, "presence_penalty", TOO_HIGH],
  [{ logit_bias: [] }, "logit_bias", TYPE],
  [{ logit_bias: { "5": 101 } }, "logit_bias.5", INTEGER_HIGH],
  [{ logit_bias: { "5": -101 } }, "logit_bias.5", INTEGER_LOW],
  [{ logit_bias: { "5": 0.5 } }, "logit_bias.5", TYPE],
  [{ logit_bias: { foo: 0 } }, "logit_bias.foo", VALUE],
  [{ logit_bias: { "05": 0 } }, "logit_bias.05", VALUE],
  [{ logit_bias: { "1000": 1 } }, "logit_bias.1000", VALUE],
  [{ logprobs: 1 }, "logprobs", TYPE],
  [{ top_logprobs: 1 }, "top_logprobs", VALUE],
  [{ logprobs: false, top_logprobs: 0 }, "top_logprobs", VALUE],
  [{ logprobs: true, top_logprobs: -1 }, "top_logprobs", INTEGER_LOW],
  [{ logprobs: true, top_logprobs: 21 }, "top_logprobs", INTEGER_HIGH],
  [{ reasoning_effort: "hard" }, "reasoning_effort", VALUE],
  [{ reasoning_effort: 3 }, "reasoning_effort", TYPE],
  [{ verbosity: "none" }, "verbosity", VALUE],
  [{ user: 7 }, "user", TYPE],
  [{ safety_identifier: "s".repeat(65) }, "safety_identifier", TOO_LONG],
  [{ prompt_cache_key: {} }, "prompt_cache_key", TYPE],
  [{ metadata: "k" }, "metadata", TYPE],
  [{ metadata: { k: 5 } }, "metadata.k", TYPE],
  [{ metadata: { k: "v".repeat(513) } }, "metadata.k", TOO_LONG],
  [{ metadata: { ["k".repeat(65)]: "v" } }, `metadata.${"k".repeat(65)}`, "property_name_above_max_length"],
  [{ metadata: { ...PAIRS_16, another: "v" } }, "metadata", "object_above_max_properties"],
  [{ service_tier: "gold" }, "service_tier", VALUE],
  [{ top_k: -1 }, "top_k", INTEGER_LOW],
  [{ top_k: 0.5 }, "top_k", TYPE],
  [{ min_p: 2 }, "min_p", TOO_HIGH],
  [{ typical_p: 0 }, "typical_p", TOO_LOW],
  [{ typical_p: 1.01 }, "typical_p", TOO_HIGH],
  [{ top_n_sigma: -1 }, "top_n_sigma", TOO_LOW],
  [{ top_n_sigma: Number.POSITIVE_INFINITY }, "top_n_sigma", TOO_HIGH],
  [{ repetition_penalty: 0 }, "repetition_penalty", TOO_LOW],
  [{ dry_multiplier: -1 }, "dry_multiplier", TOO_LOW],
  [{ dry_base: 0.9 }, "dry_base", TOO_LOW],
  [{ dry_allowed_length: -1 }, "dry_allowed_length", INTEGER_LOW],
  [{ dry_penalty_last_n: -2 }, "dry_penalty_last_n", INTEGER_LOW],
  [{ dry_sequence_breakers: "\n" }, "dry_sequence_breakers", TYPE],
  [{ dry_sequence_breakers: ["a", 1] }, "dry_sequence_breakers[1]", TYPE],
  [{ dry_sequence_breakers: ["x".repeat(129)] }, "dry_sequence_breakers[0]", TOO_LONG],
  [{ dry_sequence_breakers: Array(129).fill("x") }, "dry_sequence_breakers", TOO_MANY],
  [{ dry_sequence_breakers: [""] }, "dry_sequence_breakers[0]", "empty_string"],
  [{ xtc_probability: 1.1 }, "xtc_probability", TOO_HIGH],
  [{ xtc_threshold: -0.1 }, "xtc_threshold", TOO_LOW],
  [{ min_tokens: -1 }, "min_tokens", INTEGER_LOW],
  [{ min_tokens: 6, max_tokens: 5 }, "min_tokens", INTEGER_HIGH],
  [{ min_tokens: 1, ignore_eos: true, stop_token_ids: Array.from({ length: 1000 }, (_, id) => id) }, "min_tokens", VALUE],
  [{ ignore_eos: 1 }, "ignore_eos", TYPE],
  [{ stop_token_ids: 5 }, "stop_token_ids", TYPE],
  [{ stop_token_ids: [1, -1] }, "stop_token_ids[1]", INTEGER_LOW],
  [{ stop_token_ids: [1, 1000] }, "stop_token_ids[1]", VALUE],
  [{ chat_template_kwargs: [] }, "chat_template_kwargs", TYPE],
  [{ continue_final_message: true }, "continue_final_message", VALUE],
  [{ return_token_ids: "yes" }, "return_token_ids", TYPE],
  [{ prompt_logprobs: 21 }, "prompt_logprobs", INTEGER_HIGH],
  [{ response_format: "json_object" }, "response_format", TYPE],
  [{ response_format: {} }, "response_format.type", MISSING],
  [{ response_format: { type: "xml" } }, "response_format.type", VALUE],
  [{ response_format: { type: "text", x: 1 } }, "response_format.x", UNKNOWN],
  [{ response_format: { type: "json_schema", json_schema: {} } }, "response_format.json_schema.name", MISSING],
  [{ response_format: { type: "json_schema", json_schema: { name: "a b" } } }, "response_format.json_schema.name", VALUE],
  [{ modalities: ["video"] }, "modalities[0]", VALUE],
  [{ modalities: [] }, "modalities", "empty_array"],
  [{ audio: { voice: "ash" } }, "audio.format", MISSING],
  [{ audio: { voice: 5, format: "wav" } }, "audio.voice", TYPE],
  [{ prediction: "text" }, "prediction", TYPE],
  [{ prediction: {} }, "prediction.type", MISSING],
  [{ prediction: { type: "text", content: "x" } }, "prediction.type", VALUE],
  [{ prediction: { type: "content" } }, "prediction.content", MISSING],
  [{ prediction: { type: "content", content: null } }, "prediction.content", MISSING],
  [{ prediction: { type: "content", content: 5 } }, "prediction.content", TYPE],
  [{ prediction: { type: "content", content: [] } }, "prediction.content", "empty_array"],
  [{ prediction: { type: "content", content: ["x"] } }, "prediction.content[0]", TYPE],
  [{ prediction: { type: "content", content: [{ type: "refusal", refusal: "x" }] } }, "prediction.content[0].type", VALUE],
  [{ prediction: { type: "content", content: [{ type: "text" }] } }, "prediction.content[0].text", MISSING],
  [{ prediction: { type: "content", content: [{ type: "text", text: "x", x: 1 }] } }, "prediction.content[0].x", UNKNOWN],
  [{ prediction: { type: "content", content: "x", tokens: 5 } }, "prediction.tokens", UNKNOWN],
  [{ tools: {} }, "tools", TYPE],
  [{ tools: [null] }, "tools[0]", TYPE],
  [{ tools: [{ type: "function", function: {} }] }, "tools[0].function.name", MISSING],
  [{ tools: [{ type: "function", function: { name: "a.b" } }] }, "tools[0].function.name", VALUE],
  [{ tools: [{ type: "function", function: { name: "f".repeat(65) } }] }, "tools[0].function.name", TOO_LONG],
  [{ tools: [{ type: "custom", custom: { name: "f", format: { type: "grammar", grammar: { syntax: "bnf", definition: "" } } } }] }, "tools[0].custom.format.grammar.syntax", VALUE],
  [{ tool_choice: 5 }, "tool_choice", TYPE],
  [{ tool_choice: "some" }, "tool_choice", VALUE],
  [{ tool_choice: { type: "function", function: {} } }, "tool_choice.function.name", MISSING],
  [{ tool_choice: "none" }, "tool_choice", VALUE],
  [{ tool_choice: "auto", tools: [] }, "tool_choice", VALUE],
  [{ parallel_tool_calls: true }, "parallel_tool_calls", VALUE],
  [{ parallel_tool_calls: "no" }, "parallel_tool_calls", TYPE],
  [{ functions: [] }, "functions", "empty_array"],
  [{ functions: Array.from({ length: 129 }, () => ({ name: "f" })) }, "functions", TOO_MANY],
  [{ function_call: "none" }, "function_call", VALUE],
  [{ function_call: { name: 5 } }, "function_call.name", TYPE],
  [{ web_search_options: { user_location: { type: "exact" } } }, "web_search_options.user_location.type", VALUE],
  [{ store: "yes" }, "store", TYPE],
  [{ moderation: {} }, "moderation.model", MISSING],
  [{ moderation: { model: "m", policy: { input: { mode: "warn" } } } }, "moderation.policy.input.mode", VALUE],
  [{ prompt_cache_options: { ttl: "1h" } }, "prompt_cache_options.ttl", VALUE],
  [{ prompt_cache_retention: "1h" }, "prompt_cache_retention", VALUE],
  [{ temprature: 1 }, "temprature", UNKNOWN],
  [{ constructor: 1 }, "constructor", UNKNOWN],
]; // biome-ignore format: a table

describe("refused beyond its bounds", () => {
  test.each(INVALID.map(([fields, ...rest]) => [JSON.stringify(fields).slice(0, 90), fields, ...rest] as const))(
    "%s",
    (_, fields, param, wireCode) => {
      const error = errorOf({ ...BASE, ...fields }, TEMPLATE);
      expect([error.code, error.param, error.wireCode]).toEqual(["invalid_request", param, wireCode]);
      expect(error.toOpenAI()).toEqual({
        message: error.message,
        type: "invalid_request_error",
        param,
        code: wireCode,
      });
      expect(error.status).toBe(400);
    },
  );

  test("every field is in the table", () => {
    const named = new Set(INVALID.map(([, param]) => param.split(/[.[]/)[0]));
    expect(Object.keys(FIELDS).filter((name) => !named.has(name))).toEqual([]);
  });

  test.each(["hi", 5, null, undefined, [], true])("a body that is no object: %j", (body) => {
    expect(errorOf(body)).toMatchObject({ code: "invalid_request", param: undefined, wireCode: TYPE });
  });
});

/** One of each kind, word for word. */
const WORDED: [fields: object, message: string][] = [
  [{ model: null }, "Missing required parameter: 'model'."],
  [{ temprature: 1 }, "Unknown parameter: 'temprature'."],
  [{ ["x".repeat(100)]: 1 }, `Unknown parameter: '${"x".repeat(80)}…'.`],
  [{ stream: 1 }, "Invalid type for 'stream': expected a boolean, but got an integer instead."],
  [{ n: 1.5 }, "Invalid type for 'n': expected an integer, but got a decimal instead."],
  [{ response_format: "text" }, "Invalid type for 'response_format': expected an object, but got a string instead."],
  [{ tool_choice: [] }, "Invalid type for 'tool_choice': expected a string or an object, but got an array instead."],
  [{ temperature: 3 }, "Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 3 instead."],
  [{ typical_p: 0 }, "Invalid 'typical_p': decimal below minimum value. Expected a value > 0, but got 0 instead."],
  [{ n: 0 }, "Invalid 'n': integer below minimum value. Expected a value >= 1, but got 0 instead."],
  [{ seed: 2 ** 53 }, "Invalid 'seed': a number this large is not exact. Expected a value <= 9007199254740991, but got 9007199254740992 instead. Write a larger seed as a string, as in \"-9007199254740993\"."],
  [{ verbosity: "x".repeat(100) }, `Invalid value for 'verbosity': '${"x".repeat(80)}…'. Expected one of: 'low', 'medium', 'high'.`],
  [{ stop: [] }, "Invalid 'stop': empty array. Expected an array with minimum length 1, but got an empty array instead."],
  [{ stop: ["", "b"] }, "Invalid 'stop[0]': empty string. Expected at least one character."],
  [{ stop: Array(5).fill("a") }, "Invalid 'stop': array too long. Expected an array with maximum length 4, but got an array with length 5 instead."],
  [{ safety_identifier: "é".repeat(65) }, "Invalid 'safety_identifier': string too long. Expected a string with maximum length 64, but got a string with length 65 instead."],
  [{ metadata: { ...PAIRS_16, k: "" } }, "Invalid 'metadata': too many properties. Expected an object with at most 16 properties, but got an object with 17 properties instead."],
  [{ functions: [{ name: "a b" }] }, "Invalid 'functions[0].name': string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'."],
  [{ logit_bias: { "1000": 1 } }, "Invalid key in 'logit_bias': 1000. This model's token ids end at 999."],
  [{ stop_token_ids: [1000] }, "Invalid value for 'stop_token_ids[0]': 1000. This model's token ids end at 999."],
  [{ min_tokens: 6, max_completion_tokens: 5 }, "Invalid 'min_tokens': integer above maximum value. Expected a value <= 'max_completion_tokens', which is 5, but got 6 instead."],
  [{ stream_options: {} }, "'stream_options' is only allowed when 'stream' is true."],
  [{ tool_choice: "auto" }, "'tool_choice' is only allowed when 'tools' are specified."],
  [{ store: true }, "Unsupported parameter: 'store'. Completions are not stored yet: leave it out."],
  [{ chat_template_kwargs: { x: 1 } }, "Unknown parameter: 'chat_template_kwargs.x'. This model's chat template has no variables to set."],
]; // biome-ignore format: a table

test.each(WORDED)("%j is refused in these words", (fields, message) => {
  expect(errorOf({ ...BASE, ...fields }).message).toBe(message);
});

describe("null means absent", () => {
  const { sampling: defaults, ...expected } = parse();

  test.each(Object.keys(FIELDS).filter((name) => !(name in BASE)))("%s", (name) => {
    for (const absent of [null, undefined]) {
      const { sampling, ...request } = parse({ [name]: absent });
      expect(request).toEqual(expected);
      expect({ ...sampling, seed: 0n }).toEqual({ ...defaults, seed: 0n });
    }
  });

  test.each([
    { stream: true, stream_options: { include_usage: null, x: null } },
    { logit_bias: { "5": null, foo: null } },
    { metadata: { k: null } },
    { chat_template_kwargs: { unknown: null } },
    { response_format: { type: "text", json_schema: null } },
    { prompt_cache_options: { ttl: null } },
  ])("nested: %j", (fields) => {
    expect(() => parse(fields)).not.toThrow();
  });

  test("as far as a required key: there it is missing", () => {
    expect(errorOf({ ...BASE, response_format: { type: null } }).message).toBe(
      "Missing required parameter: 'response_format.type'.",
    );
  });
});

test("the first fault is told: unknown names, then fields in the table's order, then rules", () => {
  const faulty = { ...BASE, top_logprobs: 1, n: 0, temperature: 9, nonsense: 1 };
  const { nonsense: _, ...known } = faulty;
  const { temperature: __, ...cooler } = known;
  const params = [faulty, known, cooler, { ...cooler, n: 1 }].map((body) => errorOf(body, LIMITS).param);
  expect(params).toEqual(["nonsense", "temperature", "n", "top_logprobs"]);
});
