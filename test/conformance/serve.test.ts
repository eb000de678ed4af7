// The conformance suite over sockets: `npm run serve` in this process, before an engine that plays a script, asked by both
// builds of the `openai` package and by what others build on this API.
import { createRequire } from "node:module";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { type AIMessageChunk, HumanMessage, SystemMessage } from "@langchain/core/messages";
import { ChatOpenAI } from "@langchain/openai";
import { APICallError, generateText, streamText } from "ai";
import { OpenAI } from "openai";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { startApiServer } from "../../scripts/serve/api-server.ts";
import { openScripted } from "../engine/scripted-runtime.ts";
import { endOfLine } from "./openai/access-lines.ts";
import { CHECKS_OF_SCRIPTS } from "./openai/checks.ts";
import { scriptedModel, untilIdle } from "./openai/scripted-engine.ts";
import { testWay } from "./openai/test-way.ts";
import { clientWay, GREETING } from "./openai/way.ts";

const CommonJS: typeof OpenAI = createRequire(import.meta.url)("openai").OpenAI;

async function serveScripted(apiKey?: string) {
  const { script, ...model } = scriptedModel();
  const ends: string[] = [];
  const writeLine = (line: string) => ends.push(endOfLine(line));
  const server = await startApiServer({ host: "127.0.0.1", port: 0, apiKey, origins: [], writeLine });
  const { engine, runtime } = await openScripted(script, { onStats: server.onStats });
  server.serve(engine);
  return { server, runtime, ends, model };
}

const builds = { "its ES module": OpenAI, "its CommonJS build": CommonJS };
test("the two builds of the package are two", () => {
  expect(new Set(Object.values(builds)).size).toBe(2);
});
for (const [build, openai] of Object.entries(builds)) {
  async function open() {
    const { server, runtime, ends, model } = await serveScripted();
    const way = clientWay(openai, { baseURL: server.url }, { model: "tiny", ends });
    return { way: { ...way, ...model }, idle: () => untilIdle(runtime), close: () => server.stop() };
  }
  testWay(`npm run serve and the openai package, ${build}`, open, CHECKS_OF_SCRIPTS);
}

/** One server for a describe; there while its tests run. */
function useServer(apiKey?: string) {
  const opened = {} as Awaited<ReturnType<typeof serveScripted>>;
  beforeAll(async () => {
    Object.assign(opened, await serveScripted(apiKey));
  });
  afterAll(() => opened.server.stop());
  return opened;
}

describe("a server with a key", () => {
  const opened = useServer("right");

  test.each([["its ES module", OpenAI] as const, ["its CommonJS build", CommonJS] as const])(
    "lets in who has it, and is an AuthenticationError to others, in %s",
    async (_, openai) => {
      const baseURL = opened.server.url;
      const params = { model: "tiny", messages: [{ role: "user" as const, content: GREETING }] };
      const answer = await new openai({ apiKey: "right", baseURL }).chat.completions.create(params);
      expect(answer.choices[0]?.message.content).toBe(opened.model.greeting);
      const before = opened.ends.length;
      const stranger = new openai({ apiKey: "wrong", baseURL }).chat.completions.create(params);
      await expect(stranger).rejects.toBeInstanceOf(openai.AuthenticationError);
      await expect(stranger).rejects.toMatchObject({ status: 401, code: "invalid_api_key" });
      expect(opened.ends.slice(before)).toEqual(["invalid_api_key"]);
    },
  );
});

describe("the AI SDK", () => {
  const opened = useServer();
  const model = (id = "tiny") =>
    createOpenAICompatible({ name: "ingle", baseURL: opened.server.url, apiKey: "local", includeUsage: true })(id);

  test("generateText has the text, why it ended, and what it took", async () => {
    const { text, finishReason, usage } = await generateText({
      model: model(),
      instructions: "Be kind.",
      prompt: GREETING,
    });
    expect([text, finishReason]).toEqual([opened.model.greeting, "stop"]);
    expect(usage.totalTokens).toBe(usage.inputTokens! + usage.outputTokens!);
  });

  test("streamText has the same, piece by piece", async () => {
    const result = streamText({ model: model(), prompt: GREETING });
    const pieces: string[] = [];
    for await (const piece of result.textStream) pieces.push(piece);
    expect(pieces.join("")).toBe(opened.model.greeting);
    expect(pieces.length).toBeGreaterThan(1);
    expect(await result.finishReason).toBe("stop");
    const usage = await result.usage;
    expect(usage.totalTokens).toBe(usage.inputTokens! + usage.outputTokens!);
  });

  test("settings arrive: a limit, a seed, stop strings", async () => {
    const settings = { model: model(), prompt: "Hi", temperature: 1, seed: 4, maxOutputTokens: 12 };
    const [first, again] = [await generateText(settings), await generateText(settings)];
    expect([again.text, first.finishReason]).toEqual([first.text, "length"]);
    const cut = await generateText({ ...settings, stopSequences: [first.text.slice(4, 7)] });
    expect([cut.text, cut.finishReason]).toEqual([
      first.text.slice(0, first.text.indexOf(first.text.slice(4, 7))),
      "stop",
    ]);
  });

  test("an aborted stream ends the work behind it", async () => {
    const before = opened.ends.length;
    const controller = new AbortController();
    const result = streamText({ model: model(), prompt: "Hi", abortSignal: controller.signal });
    let aborted = false;
    for await (const part of result.stream) {
      if (part.type === "text-delta") controller.abort();
      if (part.type === "abort") aborted = true;
    }
    expect(aborted).toBe(true);
    await vi.waitFor(() => expect(opened.ends.slice(before)).toEqual(["aborted"]));
    expect(await untilIdle(opened.runtime)).toBe(0);
  });

  test("a refusal has its status and message, and is not tried again", async () => {
    const before = opened.ends.length;
    const error = await generateText({ model: model("absent"), prompt: "Hi" }).catch((thrown) => thrown);
    expect(APICallError.isInstance(error)).toBe(true);
    expect(error).toMatchObject({ statusCode: 404, isRetryable: false, message: expect.stringContaining("absent") });
    expect(opened.ends.slice(before)).toEqual(["model_not_found"]);
  });
});

describe("LangChain", () => {
  const opened = useServer();
  const chat = (fields: Partial<ConstructorParameters<typeof ChatOpenAI>[0] & object> = {}) =>
    new ChatOpenAI({ model: "tiny", apiKey: "local", configuration: { baseURL: opened.server.url }, ...fields });

  test("invoke has the text, why it ended, and what it took", async () => {
    const message = await chat().invoke([new SystemMessage("Be kind."), new HumanMessage(GREETING)]);
    expect(message.content).toBe(opened.model.greeting);
    expect(message.response_metadata).toMatchObject({ finish_reason: "stop", model_name: "tiny" });
    const { input_tokens, output_tokens, total_tokens } = message.usage_metadata!;
    expect(total_tokens).toBe(input_tokens + output_tokens);
  });

  test("stream adds up to the same", async () => {
    let message: AIMessageChunk | undefined;
    for await (const chunk of await chat().stream(GREETING)) message = message?.concat(chunk) ?? chunk;
    if (!message) throw new Error("The stream had no chunk.");
    expect(message.content).toBe(opened.model.greeting);
    expect(message.response_metadata).toMatchObject({ finish_reason: "stop" });
    const { input_tokens, output_tokens, total_tokens } = message.usage_metadata!;
    expect(total_tokens).toBe(input_tokens + output_tokens);
  });

  test("batch, several choices and logprobs", async () => {
    const texts = (await chat().batch([GREETING, GREETING])).map(({ content }) => content);
    expect(texts).toEqual([opened.model.greeting, opened.model.greeting]);
    const fields = { n: 3, temperature: 1, maxTokens: 8, modelKwargs: { seed: 1 }, logprobs: true, topLogprobs: 2 };
    const { generations } = await chat(fields).generate([[new HumanMessage("Hi")]]);
    expect(new Set(generations[0]!.map(({ text }) => text)).size).toBe(3);
    const [message] = generations[0]!.map((generation) => "message" in generation && generation.message);
    expect(message).toMatchObject({ response_metadata: { logprobs: { content: { length: 8 } } } });
  });

  test("an aborted stream ends the work behind it", async () => {
    const before = opened.ends.length;
    const controller = new AbortController();
    const read = async () => {
      for await (const _ of await chat().stream("Hi", { signal: controller.signal })) controller.abort();
    };
    await expect(read()).rejects.toThrow();
    await vi.waitFor(() => expect(opened.ends.slice(before)).toEqual(["aborted"]));
    expect(await untilIdle(opened.runtime)).toBe(0);
  });

  test("a refusal is the package's own error, and is not tried again", async () => {
    const before = opened.ends.length;
    const error = await chat({ model: "absent" })
      .invoke("Hi")
      .catch((thrown) => thrown);
    expect(error).toMatchObject({ status: 404, code: "model_not_found" });
    expect(opened.ends.slice(before)).toEqual(["model_not_found"]);
  });
});
