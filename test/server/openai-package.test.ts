// The `openai` package, as its users have it, over the handler and an engine that plays a script.
import OpenAI, {
  APIError,
  APIUserAbortError,
  BadRequestError,
  InternalServerError,
  NotFoundError,
  RateLimitError,
} from "openai";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { EngineError, type ErrorCode } from "../../src/base/errors.ts";
import { nextTask } from "../../src/base/event-loop.ts";
import { type AnsweringEngine, createFetchHandler, type FetchHandler } from "../../src/server/fetch-handler.ts";
import { openAIFaults } from "../api/openai-schema.ts";
import { certain, openScripted, type Script, TOKENIZER } from "../engine/scripted-runtime.ts";
import { chunkOf, fakeEngine } from "./fake-engine.ts";

const TEXT = "Héllo 👋, wörld";
const BASE = { model: "tiny", messages: [{ role: "user" as const, content: "Hi" }], temperature: 0 };
const ENDLESS: Script = { logits: () => certain(TOKENIZER.encode("a")[0]!), contextLength: 4096 };
const faultsOfCompletion = openAIFaults("CreateChatCompletionResponse");
const faultsOfChunk = openAIFaults("CreateChatCompletionStreamResponse");
const faultsOfError = openAIFaults("ErrorResponse");

/** A client with the package's defaults, and how often it called. */
function clientOf(engine: AnsweringEngine, over: (fetch: FetchHandler) => FetchHandler = (fetch) => fetch) {
  const handler = over(createFetchHandler(engine));
  const calls: string[] = [];
  const fetch: FetchHandler = (input, init) => {
    calls.push(String(input));
    return handler(input, init);
  };
  return { client: new OpenAI({ apiKey: "local", baseURL: "http://ingle/v1", fetch }), calls };
}

/** The same response, its body one byte at a time. */
const dripping =
  (fetch: FetchHandler): FetchHandler =>
  async (input, init) => {
    const response = await fetch(input, init);
    const drip = new TransformStream<Uint8Array, Uint8Array>({
      transform(bytes, controller) {
        for (const byte of bytes) controller.enqueue(Uint8Array.of(byte));
      },
    });
    return new Response(response.body!.pipeThrough(drip), response);
  };

async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of stream) items.push(item);
  return items;
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await nextTask();
}

describe("answers", () => {
  test("create resolves to the answer, with the request's id", async () => {
    const { engine } = await openScripted({ reply: TEXT });
    const { client, calls } = clientOf(engine);
    const { data, request_id, response } = await client.chat.completions.create(BASE).withResponse();
    expect(faultsOfCompletion(data)).toEqual([]);
    expect(data.choices[0]!.message.content).toBe(TEXT);
    expect(request_id).toBe(response.headers.get("x-request-id"));
    expect(data).toHaveProperty("_request_id", request_id);
    expect(calls).toEqual(["http://ingle/v1/chat/completions"]);
  });

  for (const [way, over] of Object.entries({ "as it comes": undefined, "byte by byte": dripping })) {
    test(`a stream adds up to the answer, ${way}`, async () => {
      const { engine, runtime } = await openScripted({ reply: TEXT });
      const { client } = clientOf(engine, over);
      const stream = await client.chat.completions.create({
        ...BASE,
        n: 2,
        stream: true,
        stream_options: { include_usage: true },
      });
      const chunks = await collect(stream);
      expect(chunks.flatMap(faultsOfChunk)).toEqual([]);
      for (const index of [0, 1]) {
        const deltas = chunks.flatMap(({ choices }) => choices).filter((choice) => choice.index === index);
        expect(deltas.map(({ delta }) => delta.content ?? "").join("")).toBe(TEXT);
        expect(deltas.at(-1)!.finish_reason).toBe("stop");
      }
      expect(chunks.filter(({ usage }) => usage)).toEqual([chunks.at(-1)]);
      expect(chunks.at(-1)!.choices).toEqual([]);
      await turns(3);
      expect(runtime.openCount).toBe(0);
    });

    test(`.stream() tells of every event, and its end is the plain answer, ${way}`, async () => {
      const { engine } = await openScripted({ reply: TEXT });
      const { client } = clientOf(engine, over);
      const request = { ...BASE, logprobs: true, top_logprobs: 2 };
      const told: string[] = [];
      let content = "";
      const runner = client.chat.completions.stream({ ...request, stream_options: { include_usage: true } });
      for (const name of ["connect", "content.done", "logprobs.content.done", "end"] as const)
        runner.on(name, () => told.push(name));
      runner.on("content", (delta) => {
        content += delta;
      });
      const final = await runner.finalChatCompletion();
      await runner.done();
      const plain = await client.chat.completions.create(request);
      expect(faultsOfCompletion(plain)).toEqual([]);
      expect(content).toBe(TEXT);
      expect(told).toEqual(["connect", "content.done", "logprobs.content.done", "end"]);
      expect(final.choices[0]!.message.content).toBe(TEXT);
      expect(final.choices[0]!.logprobs).toEqual(plain.choices[0]!.logprobs);
      expect(final.choices[0]!.finish_reason).toBe("stop");
      expect(await runner.totalUsage()).toMatchObject({ total_tokens: plain.usage!.total_tokens });
    });
  }

  test("models are listed and found, with a slash in the id too", async () => {
    const { client } = clientOf(fakeEngine([]));
    expect((await collect(client.models.list())).map(({ id }) => id)).toEqual(["org/tiny model"]);
    expect(await client.models.retrieve("org/tiny model")).toMatchObject({ object: "model" });
    await expect(client.models.retrieve("other")).rejects.toBeInstanceOf(NotFoundError);
  });
});

type ErrorClass = abstract new (...parts: never[]) => APIError;

const CLASSES: [code: ErrorCode, errorClass: ErrorClass, status: number, calls: number][] = [
  ["invalid_request", BadRequestError, 400, 1],
  ["model_not_found", NotFoundError, 404, 1],
  ["request_too_large", APIError, 413, 1],
  ["rate_limit_exceeded", RateLimitError, 429, 2],
  ["device_lost", InternalServerError, 500, 1],
  ["out_of_memory", InternalServerError, 500, 1],
  ["worker_crashed", InternalServerError, 500, 1],
  ["download_failed", InternalServerError, 502, 1],
  ["model_not_loaded", InternalServerError, 503, 1],
  ["disposed", InternalServerError, 503, 1],
];
describe("errors", () => {
  for (const [code, errorClass, status, count] of CLASSES) {
    test(`${code} is a ${errorClass.name} of status ${status} after ${count} calls`, async () => {
      const { client, calls } = clientOf(fakeEngine(new EngineError(code, "What happened.", { param: "messages" })));
      // One retry, where there is one at all: the wait before it is the handler's to say.
      const options = count === 1 ? {} : { maxRetries: 1 };
      const error = await client.chat.completions.create(BASE, options).catch((thrown) => thrown);
      expect(error).toBeInstanceOf(errorClass);
      expect(error).toMatchObject({ status, code, param: "messages", message: `${status} What happened.` });
      expect(error.requestID).toMatch(/^req_/);
      expect(faultsOfError({ error: error.error })).toEqual([]);
      expect(calls.length).toBe(count);
    });
  }

  test("what the engine finds wrong with a request names its field, also for a stream", async () => {
    const { engine } = await openScripted();
    for (const stream of [false, true]) {
      const { client, calls } = clientOf(engine);
      const call = client.chat.completions.create({ ...BASE, temperature: 3, stream });
      await expect(call).rejects.toMatchObject({
        status: 400,
        type: "invalid_request_error",
        param: "temperature",
        code: "decimal_above_max_value",
      });
      expect(calls.length).toBe(1);
    }
  });

  test("a bug in the engine is not tried again", async () => {
    const onConsole = vi.spyOn(console, "error").mockImplementation(() => {});
    onTestFinished(() => onConsole.mockRestore());
    const { client, calls } = clientOf({ ...fakeEngine([]), chat: null as unknown as AnsweringEngine["chat"] });
    await expect(client.chat.completions.create(BASE)).rejects.toBeInstanceOf(InternalServerError);
    expect(calls.length).toBe(1);
  });

  test("a failure in mid-stream is an APIError after the chunks before it", async () => {
    const { client, calls } = clientOf(fakeEngine([chunkOf("a"), new EngineError("device_lost", "Gone.")]));
    const stream = await client.chat.completions.create({ ...BASE, stream: true });
    const seen: unknown[] = [];
    const read = async () => {
      for await (const chunk of stream) seen.push(chunk);
    };
    const error = await read().catch((thrown) => thrown);
    expect(error).toBeInstanceOf(APIError);
    expect(error).toMatchObject({ status: undefined, code: "device_lost", type: "server_error" });
    expect(seen).toEqual([chunkOf("a")]);
    expect(calls.length).toBe(1);
  });
});

describe("leaving", () => {
  const ways: [way: string, leave: (stream: { controller: AbortController }) => "break" | undefined][] = [
    ["break", () => "break"],
    ["controller.abort()", ({ controller }) => void controller.abort()],
  ];
  test.each(ways)("%s ends a stream and frees its sequence", async (_, leave) => {
    const { engine, runtime } = await openScripted(ENDLESS);
    const { client, calls } = clientOf(engine);
    const stream = await client.chat.completions.create({ ...BASE, stream: true });
    let seen = 0;
    for await (const _chunk of stream) if (++seen === 5 && leave(stream) === "break") break;
    expect(seen).toBe(5);
    await turns(20);
    const submitted = runtime.steps.length;
    expect(runtime.openCount).toBe(0);
    await turns(20);
    expect(runtime.steps.length).toBe(submitted);
    expect(calls.length).toBe(1);
  });

  test(".stream().abort() rejects with APIUserAbortError", async () => {
    const { engine, runtime } = await openScripted(ENDLESS);
    const { client } = clientOf(engine);
    const runner = client.chat.completions.stream(BASE);
    runner.once("content", () => runner.abort());
    await expect(runner.finalContent()).rejects.toBeInstanceOf(APIUserAbortError);
    await turns(20);
    expect(runtime.openCount).toBe(0);
  });

  for (const stream of [false, true]) {
    test(`a signal ends a call that has no response yet, ${stream ? "streamed" : "plain"}`, async () => {
      const controller = new AbortController();
      const beforeStep = () => controller.abort();
      const { engine, runtime } = await openScripted({ ...ENDLESS, beforeStep });
      const { client, calls } = clientOf(engine);
      const call = client.chat.completions.create({ ...BASE, stream }, { signal: controller.signal });
      await expect(call).rejects.toBeInstanceOf(APIUserAbortError);
      await turns(20);
      expect(runtime.openCount).toBe(0);
      expect(calls.length).toBe(1);
    });
  }
});
