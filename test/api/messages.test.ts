// The `messages` of a request: what each role may say, which parts there are, and in which order calls and answers stand.
import { describe, expect, test } from "vitest";
import { messages, type RequestMessage } from "../../src/api/messages.ts";
import { type EngineError, isEngineError } from "../../src/base/errors.ts";

const parse = (...list: unknown[]): RequestMessage[] => messages(list, "messages");

function errorOf(list: unknown): EngineError {
  try {
    messages(list, "messages");
  } catch (error) {
    if (isEngineError(error)) return error;
    throw error;
  }
  throw new Error(`accepted: ${JSON.stringify(list)}`);
}

const HI = { role: "user", content: "Hi" };
const call = (id: string) => ({ id, type: "function", function: { name: "f", arguments: "{}" } });
const asks = (...ids: string[]) => ({ role: "assistant", content: null, tool_calls: ids.map(call) });
const answers = (id: string) => ({ role: "tool", tool_call_id: id, content: "1" });
const text = (value: string) => ({ type: "text", text: value });

const ACCEPTED: [string, unknown, RequestMessage][] = [
  ["system", { role: "system", content: "s", name: "n" }, { role: "system", content: "s", name: "n" }],
  ["developer, in parts", { role: "developer", content: [text("a"), text("b")] }, { role: "developer", content: [{ type: "text", text: "a" }, { type: "text", text: "b" }] }],
  ["user", { role: "user", content: "", name: null }, { role: "user", content: "" }],
  ["a breakpoint, as every prefix is cached", { role: "user", content: [{ ...text("a"), prompt_cache_breakpoint: { mode: "explicit" } }] }, { role: "user", content: [{ type: "text", text: "a" }] }],
  ["a breakpoint that is null", { role: "user", content: [{ ...text("a"), prompt_cache_breakpoint: null }] }, { role: "user", content: [{ type: "text", text: "a" }] }],
  ["assistant", { role: "assistant", content: "a", name: "n" }, { role: "assistant", content: "a", name: "n" }],
  ["assistant, in parts", { role: "assistant", content: [text("a")] }, { role: "assistant", content: [{ type: "text", text: "a" }] }],
  ["a refusal", { role: "assistant", content: null, refusal: "no" }, { role: "assistant", content: null, refusal: "no" }],
  ["a refusal without content", { role: "assistant", refusal: "no" }, { role: "assistant", content: null, refusal: "no" }],
  ["a refusal part", { role: "assistant", content: [{ type: "refusal", refusal: "no" }] }, { role: "assistant", content: null, refusal: "no" }],
  ["a legacy call", { role: "assistant", function_call: { name: "f", arguments: "{" } }, { role: "assistant", content: null, functionCall: { name: "f", arguments: "{" } }],
  ["a legacy result", { role: "function", name: "f", content: "1" }, { role: "function", name: "f", content: "1" }],
  ["a legacy result of nothing", { role: "function", name: "f", content: null }, { role: "function", name: "f", content: null }],
]; // biome-ignore format: a table
test.each(ACCEPTED)("accepted: %s", (_, message, expected) => {
  expect(parse(message)).toEqual([expected]);
});

test("calls and their results", () => {
  const custom = { id: "c", type: "custom", custom: { name: "run", input: "print(1)" } };
  expect(parse(HI, { role: "assistant", tool_calls: [call("a"), custom] }, answers("c"), answers("a"))).toEqual([
    HI,
    {
      role: "assistant",
      content: null,
      toolCalls: [
        { id: "a", type: "function", name: "f", arguments: "{}" },
        { id: "c", type: "custom", name: "run", input: "print(1)" },
      ],
    },
    { role: "tool", toolCallId: "c", content: "1" },
    { role: "tool", toolCallId: "a", content: "1" },
  ]);
});

test("a message that was answered can be sent back as it came", () => {
  const answer = { role: "assistant", content: "c", refusal: null, annotations: [] };
  const sdkLeavesMore = { ...answer, function_call: null, audio: null, tool_calls: null, parsed: null };
  for (const message of [answer, sdkLeavesMore])
    expect(parse(HI, message)).toEqual([HI, { role: "assistant", content: "c" }]);
  const called = { ...asks("a"), refusal: null, annotations: [] };
  expect(parse(HI, called, answers("a"))[1]).toMatchObject({ content: null, toolCalls: [{ id: "a" }] });
});

const INVALID: [string, unknown, string, string][] = [
  ["messages no array", "Hi", "messages", "invalid_type"],
  ["no message at all", [], "messages", "empty_array"],
  ["a message no object", ["Hi"], "messages[0]", "invalid_type"],
  ["no role", [{ content: "Hi" }], "messages[0].role", "missing_required_parameter"],
  ["an unknown role", [{ role: "bot", content: "" }], "messages[0].role", "invalid_value"],
  ["a role named as a prototype's", [{ role: "toString", content: "" }], "messages[0].role", "invalid_value"],
  ["system without content", [{ role: "system", content: null }], "messages[0].content", "missing_required_parameter"],
  ["user without content", [{ role: "user" }], "messages[0].content", "missing_required_parameter"],
  ["assistant without anything", [HI, { role: "assistant", content: null }], "messages[1].content", "missing_required_parameter"],
  ["assistant with a refusal of null", [HI, { role: "assistant", content: null, refusal: null }], "messages[1].content", "missing_required_parameter"],
  ["tool without content", [asks("a"), { role: "tool", tool_call_id: "a", content: null }], "messages[1].content", "missing_required_parameter"],
  ["tool without id", [asks("a"), { role: "tool", content: "" }], "messages[1].tool_call_id", "missing_required_parameter"],
  ["function without content", [{ role: "function", name: "f" }], "messages[0].content", "missing_required_parameter"],
  ["function without name", [{ role: "function", content: null }], "messages[0].name", "missing_required_parameter"],
  ["function with parts", [{ role: "function", name: "f", content: [text("a")] }], "messages[0].content", "invalid_type"],
  ["content no text", [{ role: "user", content: 5 }], "messages[0].content", "invalid_type"],
  ["no parts", [{ role: "user", content: [] }], "messages[0].content", "empty_array"],
  ["a part no object", [{ role: "user", content: ["a"] }], "messages[0].content[0]", "invalid_type"],
  ["a part null", [{ role: "assistant", content: [null] }], "messages[0].content[0]", "invalid_type"],
  ["a part without type", [{ role: "user", content: [{ text: "a" }] }], "messages[0].content[0].type", "missing_required_parameter"],
  ["an unknown part", [{ role: "user", content: [{ type: "smell" }] }], "messages[0].content[0].type", "invalid_value"],
  ["a part without text", [{ role: "user", content: [text("a"), { type: "text" }] }], "messages[0].content[1].text", "missing_required_parameter"],
  ["an unknown key in a part", [{ role: "user", content: [{ ...text(""), x: 1 }] }], "messages[0].content[0].x", "unknown_parameter"],
  ["an image of the system", [{ role: "system", content: [{ type: "image_url", image_url: { url: "x" } }] }], "messages[0].content[0].type", "invalid_value"],
  ["a refusal of a user", [{ role: "user", content: [{ type: "refusal", refusal: "no" }] }], "messages[0].content[0].type", "invalid_value"],
  ["a refusal beside text", [{ role: "assistant", content: [text("a"), { type: "refusal", refusal: "no" }] }], "messages[0].content[1].type", "invalid_value"],
  ["two refusals", [{ role: "assistant", content: [{ type: "refusal", refusal: "no" }, { type: "refusal", refusal: "no" }] }], "messages[0].content[0].type", "invalid_value"],
  ["a refusal part without words", [{ role: "assistant", content: [{ type: "refusal" }] }], "messages[0].content[0].refusal", "missing_required_parameter"],
  ["a refusal twice", [{ role: "assistant", content: [{ type: "refusal", refusal: "no" }], refusal: "no" }], "messages[0].refusal", "invalid_value"],
  ["a refusal no text", [{ role: "assistant", content: "", refusal: true }], "messages[0].refusal", "invalid_type"],
  ["an image without url", [{ role: "user", content: [{ type: "image_url", image_url: {} }] }], "messages[0].content[0].image_url.url", "missing_required_parameter"],
  ["an image as a string", [{ role: "user", content: [{ type: "image_url", image_url: "x" }] }], "messages[0].content[0].image_url", "invalid_type"],
  ["an unknown detail", [{ role: "user", content: [{ type: "image_url", image_url: { url: "x", detail: "all" } }] }], "messages[0].content[0].image_url.detail", "invalid_value"],
  ["audio without format", [{ role: "user", content: [{ type: "input_audio", input_audio: { data: "" } }] }], "messages[0].content[0].input_audio.format", "missing_required_parameter"],
  ["a file without name", [{ role: "user", content: [{ type: "file", file: { file_data: "" } }] }], "messages[0].content[0].file.filename", "missing_required_parameter"],
  ["a breakpoint without mode", [{ role: "user", content: [{ ...text("a"), prompt_cache_breakpoint: {} }] }], "messages[0].content[0].prompt_cache_breakpoint.mode", "missing_required_parameter"],
  ["a breakpoint of the assistant's refusal", [{ role: "assistant", content: [{ type: "refusal", refusal: "", prompt_cache_breakpoint: { mode: "explicit" } }] }], "messages[0].content[0].prompt_cache_breakpoint", "unknown_parameter"],
  ["an unknown key in a message", [{ ...HI, x: 1 }], "messages[0].x", "unknown_parameter"],
  ["tool_calls of a user", [{ ...HI, tool_calls: [] }], "messages[0].tool_calls", "unknown_parameter"],
  ["a name of a tool", [asks("a"), { ...answers("a"), name: "f" }], "messages[1].name", "unknown_parameter"],
  ["a name no string", [{ ...HI, name: 3 }], "messages[0].name", "invalid_type"],
  ["annotations no array", [{ role: "assistant", content: "", annotations: {} }], "messages[0].annotations", "invalid_type"],
  ["audio without id", [{ role: "assistant", content: "", audio: {} }], "messages[0].audio.id", "missing_required_parameter"],
  ["no calls", [{ role: "assistant", content: "", tool_calls: [] }], "messages[0].tool_calls", "empty_array"],
  ["a call without type", [{ role: "assistant", tool_calls: [{ id: "a", function: { name: "f", arguments: "" } }] }], "messages[0].tool_calls[0].type", "missing_required_parameter"],
  ["a call without id", [{ role: "assistant", tool_calls: [{ type: "function", function: { name: "f", arguments: "" } }] }], "messages[0].tool_calls[0].id", "missing_required_parameter"],
  ["a call with an empty id", [asks("")], "messages[0].tool_calls[0].id", "empty_string"],
  ["a call of a kind that it is not", [{ role: "assistant", tool_calls: [{ id: "a", type: "custom", function: { name: "f", arguments: "" } }] }], "messages[0].tool_calls[0].function", "unknown_parameter"],
  ["a call with an index", [{ role: "assistant", tool_calls: [{ index: 0, ...call("a") }] }], "messages[0].tool_calls[0].index", "unknown_parameter"],
  ["arguments as an object", [{ role: "assistant", tool_calls: [{ id: "a", type: "function", function: { name: "f", arguments: {} } }] }], "messages[0].tool_calls[0].function.arguments", "invalid_type"],
  ["a custom call without input", [{ role: "assistant", tool_calls: [{ id: "a", type: "custom", custom: { name: "f" } }] }], "messages[0].tool_calls[0].custom.input", "missing_required_parameter"],
  ["a legacy call without a name", [{ role: "assistant", function_call: { arguments: "" } }], "messages[0].function_call.name", "missing_required_parameter"],
  ["two calls of one id", [asks("a", "a")], "messages[0].tool_calls[1].id", "invalid_value"],
  ["a call that a user follows", [HI, asks("a"), HI], "messages[2].role", "invalid_value"],
  ["a call that is answered too late", [asks("a", "b"), answers("a"), HI, answers("b")], "messages[2].role", "invalid_value"],
  ["a call without an answer at the end", [HI, asks("a")], "messages[1].role", "invalid_value"],
  ["half of the answers at the end", [asks("a", "b"), answers("b")], "messages[1].role", "invalid_value"],
  ["an answer that nothing asked for", [answers("a")], "messages[0].role", "invalid_value"],
  ["an answer after an answer was given", [asks("a"), answers("a"), HI, answers("a")], "messages[3].role", "invalid_value"],
  ["an answer twice", [asks("a"), answers("a"), answers("a")], "messages[2].tool_call_id", "invalid_value"],
  ["an answer to another call", [asks("a"), answers("b")], "messages[1].tool_call_id", "invalid_value"],
]; // biome-ignore format: a table
test.each(INVALID)("invalid: %s", (_, list, param, wireCode) => {
  const error = errorOf(list);
  expect([error.code, error.param, error.wireCode]).toEqual(["invalid_request", param, wireCode]);
  expect(error.message).toContain(param);
});

const UNSUPPORTED: [string, unknown, string, string][] = [
  ["an image", { role: "user", content: [text("Look:"), { type: "image_url", image_url: { url: "https://x/y.png", detail: "low" } }] }, "messages[2].content[1].type", "no image tower"],
  ["audio", { role: "user", content: [{ type: "input_audio", input_audio: { data: "AA==", format: "wav" } }] }, "messages[2].content[0].type", "no audio tower"],
  ["a file", { role: "user", content: [{ type: "file", file: { file_id: "f" } }] }, "messages[2].content[0].type", "reads no 'file'"],
  ["a file's data", { role: "user", content: [{ type: "file", file: { file_data: "AA==", filename: "a.pdf" } }] }, "messages[2].content[0].type", "reads no 'file'"],
  ["an audio answer", { role: "assistant", content: "", audio: { id: "a" } }, "messages[2].audio", "no audio answers"],
  ["annotations", { role: "assistant", content: "", annotations: [{ type: "url_citation" }] }, "messages[2].annotations", "reaches the model"],
]; // biome-ignore format: a table
test.each(UNSUPPORTED)("refused by name: %s", (_, message, param, words) => {
  const error = errorOf([HI, HI, message]);
  expect([error.code, error.param]).toEqual(["unsupported_parameter", param]);
  expect(error.message).toContain(words);
});

describe("order", () => {
  test.each([
    ["system messages anywhere", [HI, { role: "system", content: "s" }, HI, { role: "developer", content: "d" }]],
    ["answers in another order than the calls", [asks("a", "b"), answers("b"), answers("a"), HI]],
    ["calls after answers", [asks("a"), answers("a"), asks("b"), answers("b")]],
    ["an id that comes again in a later turn", [asks("a"), answers("a"), HI, asks("a"), answers("a")]],
    ["a legacy call without a result", [{ role: "assistant", function_call: { name: "f", arguments: "" } }, HI]],
  ])("%s: accepted", (_, list) => {
    expect(messages(list, "messages").length).toBe(list.length);
  });

  test("the calls without an answer are named", () => {
    expect(errorOf([asks("a", "b", "c"), answers("b"), HI]).message).toContain("'a', 'c'");
  });
});

test("a caller's ids are shortened in messages, however long or many they are", () => {
  const call = (id: string) => ({ id, type: "function", function: { name: "f", arguments: "{}" } });
  const long = "x".repeat(10_000);
  const calls = Array.from({ length: 1000 }, (_, place) => call(`${place}${long}`));
  for (const messages of [
    [{ role: "assistant", tool_calls: [call(long), call(long)] }],
    [
      { role: "assistant", tool_calls: [call("a")] },
      { role: "tool", tool_call_id: long, content: "" },
    ],
    [
      { role: "assistant", tool_calls: calls },
      { role: "user", content: "Hi" },
    ],
  ])
    expect(errorOf({ model: "m", messages }).message.length).toBeLessThan(1000);
});
