// The whole server over sockets with an engine that plays a script, asked by the `openai` package as its users have it.
import OpenAI, { AuthenticationError, BadRequestError } from "openai";
import { expect, onTestFinished, test, vi } from "vitest";
import { type ApiServerOptions, startApiServer } from "../../../scripts/serve/api-server.ts";
import { certain, openScripted, type Script, TOKENIZER } from "../../engine/scripted-runtime.ts";

const CANARY = "canary-4f1c";
const ENDLESS: Script = { logits: () => certain(TOKENIZER.encode("a")[0]!), contextLength: 4096 };
const REQUEST = { model: "tiny", messages: [{ role: "user" as const, content: CANARY }], temperature: 0 };

async function serveScripted(script: Script = {}, policy: Partial<ApiServerOptions> = {}) {
  const lines: string[] = [];
  const server = await startApiServer({
    host: "127.0.0.1",
    port: 0,
    apiKey: undefined,
    origins: [],
    writeLine: (line) => lines.push(line),
    ...policy,
  });
  const { engine, runtime } = await openScripted(script, { onStats: server.onStats });
  server.serve(engine);
  onTestFinished(() => server.stop());
  const client = new OpenAI({ apiKey: policy.apiKey ?? "local", baseURL: server.url, maxRetries: 0 });
  return { server, runtime, client, lines };
}

test("plain and streamed answers, models and errors reach the openai package", async () => {
  const { client } = await serveScripted();
  const { data: answer, request_id } = await client.chat.completions.create(REQUEST).withResponse();
  expect(answer.choices[0]?.message.content).toBe("Hello");
  expect(request_id).toMatch(/^req_/);
  let text = "";
  for await (const chunk of await client.chat.completions.create({ ...REQUEST, stream: true }))
    text += chunk.choices[0]?.delta.content ?? "";
  expect(text).toBe("Hello");
  expect((await client.models.list()).data.map(({ id }) => id)).toEqual(["tiny"]);
  const refused = client.chat.completions.create({ ...REQUEST, temperature: 3 });
  await expect(refused).rejects.toBeInstanceOf(BadRequestError);
  await expect(refused).rejects.toMatchObject({ param: "temperature" });
});

test("each request has one access line, and none has a word of the message or the answer", async () => {
  const { client, lines } = await serveScripted({ reply: "Hello" });
  await client.chat.completions.create(REQUEST);
  for await (const _ of await client.chat.completions.create({ ...REQUEST, stream: true }));
  await client.models.list();
  await client.chat.completions.create({ ...REQUEST, stop: [CANARY, ""] }).catch(() => {});
  await client.models.retrieve("absent").catch(() => {});
  await vi.waitFor(() => expect(lines).toHaveLength(5));
  const answered =
    /^\S+Z POST \/v1\/chat\/completions 200, \d+ ms, tiny, \d+ tokens in, \d+ out, ([\d.]+ tokens\/s, )?stop, req_/;
  expect(lines[0]).toMatch(answered);
  expect(lines[1]).toMatch(answered);
  expect(lines[2]).toMatch(/ GET \/v1\/models 200, \d+ ms, req_/);
  expect(lines[3]).toMatch(/ POST \/v1\/chat\/completions 400, \d+ ms, \w+, req_/);
  expect(lines[4]).toMatch(/ GET \/v1\/models\/absent 404, \d+ ms, model_not_found, req_/);
  expect(lines.join("\n")).not.toMatch(new RegExp(`${CANARY}|Hello`));
});

test("a wrong key is an AuthenticationError, and the line of the refusal does not repeat it", async () => {
  const { server, client, lines } = await serveScripted({}, { apiKey: "s3cret" });
  const stranger = new OpenAI({ apiKey: "guessed-key", baseURL: server.url });
  await expect(stranger.models.list()).rejects.toBeInstanceOf(AuthenticationError);
  expect((await client.models.list()).data).toHaveLength(1);
  expect(lines[0]).toMatch(/ GET \/v1\/models 401, \d+ ms, invalid_api_key, req_/);
  expect(lines.join("\n")).not.toMatch(/s3cret|guessed-key/);
});

test("a client that leaves a stream frees its sequence", async () => {
  const { client, runtime, lines } = await serveScripted(ENDLESS);
  for await (const _ of await client.chat.completions.create({ ...REQUEST, stream: true })) break;
  await vi.waitFor(() => expect(runtime.openCount).toBe(0));
  await vi.waitFor(() => expect(lines[0]).toMatch(/ 200, \d+ ms, tiny, .*aborted, req_/));
});

test("stopping ends a running answer with a frame that says why", async () => {
  const { server, client, lines } = await serveScripted(ENDLESS);
  const stream = await client.chat.completions.create({ ...REQUEST, max_completion_tokens: 4000, stream: true });
  const chunks = stream[Symbol.asyncIterator]();
  await chunks.next();
  const rest = (async () => {
    while (!(await chunks.next()).done);
  })();
  const ended = expect(rest).rejects.toMatchObject({ code: "disposed" });
  await server.stop();
  await ended;
  expect(lines[0]).toMatch(/ POST \/v1\/chat\/completions 200, .* disposed, req_/);
});

test("stopping waits for a plain answer to be told why", async () => {
  const started = { at: () => {} };
  const begun = new Promise<void>((resolve) => {
    started.at = resolve;
  });
  const { server, client } = await serveScripted({ ...ENDLESS, beforeStep: () => started.at() });
  const refused = expect(
    client.chat.completions.create({ ...REQUEST, max_completion_tokens: 4000 }),
  ).rejects.toMatchObject({ code: "disposed" });
  await begun;
  await server.stop();
  await refused;
});
