// Clients that others wrote, unchanged, over real HTTP: both builds of the `openai` package, the AI SDK, and LangChain.
import { createRequire } from "node:module";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { ChatOpenAI } from "@langchain/openai";
import { APICallError, generateText, streamText } from "ai";
import OpenAI from "openai";
import { describe, expect, onTestFinished, test } from "vitest";
import { startApiServer } from "../../scripts/serve/api-server.ts";
import { openScripted, type Script } from "../engine/scripted-runtime.ts";

const TEXT = "Héllo 👋, wörld";
const KEY = "s3cret";

async function serve(script: Script = { reply: TEXT }) {
  const lines: string[] = [];
  const server = await startApiServer({
    host: "127.0.0.1",
    port: 0,
    apiKey: KEY,
    origins: [],
    writeLine: (line) => lines.push(line),
  });
  const { engine, runtime } = await openScripted(script, { onStats: server.onStats });
  server.serve(engine);
  onTestFinished(() => server.stop());
  return { baseURL: server.url, runtime, lines };
}

describe.each<[string, typeof OpenAI]>([
  ["ESM", OpenAI],
  ["CommonJS", createRequire(import.meta.url)("openai")],
])("the openai package's %s build", (_, Client) => {
  test("answers, streams and refuses as it does elsewhere", async () => {
    const { baseURL } = await serve();
    const client = new Client({ apiKey: KEY, baseURL });
    const request = { model: "tiny", messages: [{ role: "user" as const, content: "Hi" }], temperature: 0 };
    expect((await client.chat.completions.create(request)).choices[0]?.message.content).toBe(TEXT);
    const runner = client.chat.completions.stream(request);
    expect(await runner.finalContent()).toBe(TEXT);
    const refused = client.chat.completions.create({ ...request, temperature: 3 });
    await expect(refused).rejects.toBeInstanceOf(Client.BadRequestError);
    await expect(refused).rejects.toMatchObject({ param: "temperature", code: "decimal_above_max_value" });
    const stranger = new Client({ apiKey: "guess", baseURL });
    await expect(stranger.models.list()).rejects.toBeInstanceOf(Client.AuthenticationError);
  });
});

describe("the AI SDK", () => {
  const modelOf = (baseURL: string) => createOpenAICompatible({ name: "ingle", baseURL, apiKey: KEY })("tiny");

  test("generateText has text, finish reason and usage", async () => {
    const { baseURL } = await serve();
    const { text, finishReason, usage } = await generateText({ model: modelOf(baseURL), prompt: "Hi", temperature: 0 });
    expect([text, finishReason]).toEqual([TEXT, "stop"]);
    expect(usage.inputTokens! + usage.outputTokens!).toBe(usage.totalTokens);
  });

  test("streamText has the same text, in pieces", async () => {
    const { baseURL } = await serve();
    const { textStream, finishReason } = streamText({
      model: modelOf(baseURL),
      instructions: "Be short.",
      prompt: "Hi",
    });
    const pieces: string[] = [];
    for await (const piece of textStream) pieces.push(piece);
    expect(pieces.join("")).toBe(TEXT);
    expect(pieces.length).toBeGreaterThan(1);
    expect(await finishReason).toBe("stop");
  });

  test("what is refused is its own error, asked for once", async () => {
    const { baseURL, lines } = await serve();
    const refused = generateText({ model: modelOf(baseURL), prompt: "Hi", maxOutputTokens: 100_000 });
    await expect(refused).rejects.toSatisfy((error) => APICallError.isInstance(error) && error.statusCode === 400);
    expect(lines.length).toBe(1);
  });
});

describe("LangChain's ChatOpenAI", () => {
  const modelOf = (baseURL: string) =>
    new ChatOpenAI({ model: "tiny", temperature: 0, apiKey: KEY, configuration: { baseURL }, useResponsesApi: false });

  test("invoke has content and usage", async () => {
    const { baseURL } = await serve();
    const answer = await modelOf(baseURL).invoke([
      ["system", "Be short."],
      ["human", "Hi"],
    ]);
    expect(answer.content).toBe(TEXT);
    const usage = answer.usage_metadata as
      | { input_tokens: number; output_tokens: number; total_tokens: number }
      | undefined;
    expect(usage!.input_tokens + usage!.output_tokens).toBe(usage!.total_tokens);
  });

  test("stream adds up to it, with usage", async () => {
    const { baseURL, runtime } = await serve();
    let text = "";
    for await (const piece of await modelOf(baseURL).stream("Hi")) text += piece.content;
    expect(text).toBe(TEXT);
    expect(runtime.openCount).toBe(0);
  });
});
