import { describe, expect, onTestFinished, test, vi } from "vitest";
import { EngineError } from "../../src/base/errors.ts";
import { nextTask } from "../../src/base/event-loop.ts";
import { createFetchHandler, type RequestRecord } from "../../src/server/fetch-handler.ts";
import { openAIFaults } from "../api/openai-schema.ts";
import { ANSWER, chunkOf, type FakeEngine, fakeEngine } from "./fake-engine.ts";

const URL_OF_CREATE = "http://ingle/v1/chat/completions";
const JSON_TYPE = { "content-type": "application/json" };
const faultsOfError = openAIFaults("ErrorResponse");

function post(body: BodyInit, headers: Record<string, string> = JSON_TYPE): RequestInit {
  return { method: "POST", headers, body };
}

function handlerOf(engine: FakeEngine) {
  const records: RequestRecord[] = [];
  return { fetch: createFetchHandler(engine, { onRequest: (record) => records.push(record) }), records };
}

/** The error in a response, held to OpenAI's schema and to the headers that every response has. */
async function errorOf(response: Response) {
  expect(response.headers.get("content-type")).toBe("application/json");
  expect(response.headers.get("x-request-id")).toMatch(/^req_[0-9a-f]{32}$/);
  const body = await response.json();
  expect(faultsOfError(body)).toEqual([]);
  expect(Object.keys(body.error)).toEqual(["message", "type", "param", "code"]);
  return { status: response.status, ...body.error };
}

const ROUTES: [method: string, url: string, status: number, definition: string][] = [
  ["POST", "http://ingle/v1/chat/completions", 200, "CreateChatCompletionResponse"],
  ["POST", "https://localhost:8080/v1/chat/completions/?api-version=1", 200, "CreateChatCompletionResponse"],
  ["post", "/v1/chat/completions", 200, "CreateChatCompletionResponse"],
  ["GET", "http://ingle/v1/chat/completions", 405, "POST"],
  ["DELETE", "http://ingle/v1/chat/completions", 405, "POST"],
  ["GET", "http://ingle/v1/models", 200, "ListModelsResponse"],
  ["GET", "http://ingle/v1/models/", 200, "ListModelsResponse"],
  ["POST", "http://ingle/v1/models", 405, "GET"],
  ["GET", "http://ingle/v1/models/org%2Ftiny%20model", 200, "Model"],
  ["GET", "http://ingle/v1/models/org/tiny%20model/", 200, "Model"],
  ["GET", "http://ingle/v1/models/other", 404, "model_not_found"],
  ["GET", "http://ingle/v1/models/%E0%A4%A", 400, "invalid_request"],
  ["DELETE", "http://ingle/v1/models/other", 405, "GET"],
  ["POST", "http://ingle/v1/completions", 404, "unknown_url"],
  ["POST", "http://ingle/chat/completions", 404, "unknown_url"],
  ["POST", "http://ingle/v1/chat/completions/chatcmpl-1", 404, "unknown_url"],
  ["GET", "http://ingle/", 404, "unknown_url"],
  ["GET", "http://[", 400, "invalid_request"],
]; // biome-ignore format: a table
describe("routes", () => {
  test.each(ROUTES)("%s %s is %d %s", async (method, url, status, expected) => {
    const { fetch } = handlerOf(fakeEngine(ANSWER));
    const response = await fetch(url, method.toUpperCase() === "POST" ? { ...post("{}"), method } : { method });
    expect(response.status).toBe(status);
    if (status === 200) {
      expect(response.headers.get("content-type")).toBe("application/json");
      expect(openAIFaults(expected)(await response.json())).toEqual([]);
    } else if (status === 405) {
      expect(response.headers.get("allow")).toBe(expected);
      expect(await errorOf(response)).toMatchObject({ code: "method_not_supported" });
    } else expect(await errorOf(response)).toMatchObject({ code: expected });
  });

  test("a URL and a Request are as good as a string, without a `this`", async () => {
    const { fetch } = handlerOf(fakeEngine(ANSWER));
    const bare = [fetch(new URL(URL_OF_CREATE), post("{}")), fetch(new Request(URL_OF_CREATE, post("{}")))];
    for (const response of await Promise.all(bare)) expect(await response.json()).toEqual(ANSWER);
  });

  test("an init goes before what its Request says", async () => {
    const { fetch } = handlerOf(fakeEngine(ANSWER));
    const request = new Request(URL_OF_CREATE, post("{}", { "content-type": "text/plain" }));
    expect((await fetch(request.clone())).status).toBe(400);
    expect((await fetch(request, { headers: JSON_TYPE })).status).toBe(200);
  });
});

const FAILURES: [error: Error, status: number, headers: Record<string, string | null>][] = [
  [new EngineError("invalid_request", "Too hot.", { param: "temperature" }), 400, { "x-should-retry": "false" }],
  [new EngineError("model_not_found", "No such model."), 404, { "x-should-retry": "false" }],
  [new EngineError("rate_limit_exceeded", "Busy."), 429, { "x-should-retry": null, "retry-after": "1" }],
  [new EngineError("device_lost", "Gone."), 500, { "x-should-retry": "false", "retry-after": null }],
  [new EngineError("model_not_loaded", "None."), 503, { "x-should-retry": "false" }],
  [new EngineError("aborted", "Of the engine's own."), 499, { "x-should-retry": "false" }],
];
describe("errors before the first byte", () => {
  test.each(FAILURES)("%s is %d with %j", async (error, status, headers) => {
    for (const answer of [error, [error]]) {
      const response = await handlerOf(fakeEngine(answer)).fetch(URL_OF_CREATE, post("{}"));
      for (const [name, value] of Object.entries(headers)) expect(response.headers.get(name)).toBe(value);
      expect(await errorOf(response)).toEqual({ status, ...(error as EngineError).toOpenAI() });
    }
  });

  test("a bug is a 500 that names nothing of the inside, and is on the console once", async () => {
    const onConsole = vi.spyOn(console, "error").mockImplementation(() => {});
    onTestFinished(() => onConsole.mockRestore());
    const bug = new TypeError("secret of lane 7");
    const response = await handlerOf(fakeEngine(bug)).fetch(URL_OF_CREATE, post("{}"));
    const requestId = response.headers.get("x-request-id")!;
    expect(response.headers.get("x-should-retry")).toBe("false");
    const error = await errorOf(response);
    expect(error).toMatchObject({ status: 500, type: "server_error", param: null, code: "internal_error" });
    expect(error.message).toContain(requestId);
    expect(error.message).not.toContain("secret");
    expect(onConsole.mock.calls).toEqual([[`Request ${requestId} failed:`, bug]]);
  });
});

const nested = (levels: number) => `{"a":${"[".repeat(levels - 1)}${"]".repeat(levels - 1)}}`;
const bytes = (...values: number[]) => new Uint8Array(values);
/** A body that comes in pieces, without a length. */
const streamed = (body: ReadableStream): RequestInit => ({ ...post(""), body, duplex: "half" }) as RequestInit;
const pieces = (...parts: unknown[]) => {
  const left = parts.values();
  return streamed(
    new ReadableStream({
      pull(controller) {
        const { done, value } = left.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
    }),
  );
};
const MIB = 1024 * 1024;

const REFUSED: [what: string, init: RequestInit, status: number, message: RegExp][] = [
  ["nothing", { method: "POST", headers: JSON_TYPE }, 400, /body is empty/],
  ["blanks", post(" \n"), 400, /body is empty/],
  ["a stray word", post('{"a": nope}'), 400, /not valid JSON: "n" at character 6 does/],
  ["a comma too many", post('{"a":1,}'), 400, /not valid JSON: "}" at character 7 does/],
  ["an open end", post('{"a":'), 400, /not valid JSON: it ends too early, at character 5/],
  ["513 levels", post(nested(513)), 400, /more than 512 levels .* at character 516/],
  ["a million levels", post("[".repeat(MIB)), 400, /more than 512 levels/],
  ["a byte that is no UTF-8", post(bytes(0x22, 0xff, 0x22)), 400, /not valid UTF-8/],
  ["half a character at the end", post(bytes(0x22, 0xf0, 0x9f)), 400, /not valid UTF-8/],
  ["a form", post("a=1", { "content-type": "application/x-www-form-urlencoded" }), 400, /application\/json, in UTF-8, not/],
  ["plain text", post("{}", { "content-type": "text/plain;charset=UTF-8" }), 400, /application\/json, in UTF-8, not/],
  ["another charset", post("{}", { "content-type": "application/json; charset=latin1" }), 400, /in UTF-8, not/],
  ["16 MiB and a byte", post(`"${"a".repeat(16 * MIB - 1)}"`), 413, /may have 16777216 bytes/],
  ["a length that says so", post("{}", { ...JSON_TYPE, "content-length": "16777217" }), 413, /this one is 16777217/],
  ["17 MiB piece by piece", pieces(...Array(17).fill(new Uint8Array(MIB).fill(32))), 413, /longer/],
  ["strings for bytes", pieces("{}"), 400, /Uint8Arrays/],
]; // biome-ignore format: a table
describe("bodies", () => {
  test.each(REFUSED)("%s is refused", async (_, init, status, message) => {
    const engine = fakeEngine(ANSWER);
    const error = await errorOf(await handlerOf(engine).fetch(URL_OF_CREATE, init));
    expect(error).toMatchObject({ status, type: "invalid_request_error", param: null });
    expect(error.message).toMatch(message);
    expect(engine.requests).toEqual([]);
  });

  test("what is within all limits arrives whole", async () => {
    const engine = fakeEngine(ANSWER);
    const { fetch } = handlerOf(engine);
    const text = '{"content":"Héllo 👋"}';
    const each = Array.from(new TextEncoder().encode(text), (byte) => bytes(byte));
    const inits = [
      post(text),
      post(text, { "content-type": "Application/JSON; charset=utf-8" }),
      { method: "POST", body: text },
      pieces(...each),
    ];
    for (const init of inits) expect((await fetch(URL_OF_CREATE, init)).status).toBe(200);
    expect(engine.requests).toEqual(inits.map(() => ({ content: "Héllo 👋" })));
    for (const body of [nested(512), `"${"a".repeat(16 * MIB - 2)}"`])
      expect((await fetch(URL_OF_CREATE, post(body))).status).toBe(200);
  });

  test("an upload that breaks off is the client's failure", async () => {
    const body = new ReadableStream({ pull: (controller) => controller.error(new Error("cable")) });
    const response = await handlerOf(fakeEngine(ANSWER)).fetch(URL_OF_CREATE, streamed(body));
    expect(await errorOf(response)).toMatchObject({ status: 400, message: "The body broke off before its end." });
  });

  test("an abort ends an upload, and the call with the signal's reason", async () => {
    const controller = new AbortController();
    const reason = new Error("gone");
    let cancelled = false;
    const body = new ReadableStream({
      pull: () => controller.abort(reason),
      cancel() {
        cancelled = true;
      },
    });
    const init = { ...streamed(body), signal: controller.signal };
    await expect(handlerOf(fakeEngine(ANSWER)).fetch(URL_OF_CREATE, init)).rejects.toBe(reason);
    await nextTask();
    expect(cancelled).toBe(true);
  });
});

describe("the record of a request", () => {
  const seen: [what: string, init: RequestInit, answer: Parameters<typeof fakeEngine>[0], record: object][] = [
    ["an answer", post("{}"), ANSWER, { status: 200, streamed: false, usage: ANSWER.usage, errorCode: undefined }],
    ["a stream", post("{}"), [chunkOf("a"), chunkOf("", "stop")], { status: 200, streamed: true, model: "tiny" }],
    ["a stream that fails", post("{}"), [chunkOf("a"), new EngineError("device_lost", "Gone.")], { status: 200, streamed: true, errorCode: "device_lost" }],
    ["a refusal", post("{"), ANSWER, { status: 400, model: undefined, errorCode: "invalid_request" }],
    ["an error", post("{}"), new EngineError("invalid_request", "x", { wireCode: "unknown_parameter" }), { status: 400, errorCode: "unknown_parameter" }],
  ]; // biome-ignore format: a table
  test.each(seen)("%s", async (_, init, answer, record) => {
    const { fetch, records } = handlerOf(fakeEngine(answer));
    const response = await fetch(`${URL_OF_CREATE}?key=secret`, init);
    await response.text();
    await nextTask();
    const [first, ...more] = records;
    expect(more).toEqual([]);
    expect(first).toMatchObject({
      requestId: response.headers.get("x-request-id"),
      method: "POST",
      path: "/v1/chat/completions",
      ...record,
    });
    expect(first!.durationMs).toBeGreaterThanOrEqual(0);
    expect(first!.completionId).toBe(first!.model && "chatcmpl-1");
    expect(JSON.stringify(records)).not.toContain("secret");
  });

  test("a caller that leaves before the response is a 499", async () => {
    const { fetch, records } = handlerOf(fakeEngine(ANSWER));
    const reason = new Error("gone");
    await expect(fetch(URL_OF_CREATE, { ...post("{}"), signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    await nextTask();
    expect(records).toMatchObject([{ status: 499, errorCode: "aborted" }]);
  });
});
