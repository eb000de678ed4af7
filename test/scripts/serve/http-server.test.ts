// The server over real sockets with handlers that stand in for the engine: bodies both ways, who waits for whom, and its end.
import { once } from "node:events";
import { Agent, type IncomingMessage, type OutgoingHttpHeaders, request as openRequest } from "node:http";
import { connect } from "node:net";
import { text as readAll } from "node:stream/consumers";
import { afterEach, expect, test } from "vitest";
import { type HttpServer, startHttpServer } from "../../../scripts/serve/http-server.ts";
import type { RequestHandler } from "../../../src/server/fetch-handler.ts";

const MB = 2 ** 20;
const servers: HttpServer[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop(async () => {});
});

async function serve(handler: RequestHandler, onBug: (error: unknown) => void = () => {}): Promise<HttpServer> {
  const server = await startHttpServer({ handler, host: "127.0.0.1", port: 0, onBug });
  servers.push(server);
  return server;
}

test("a request arrives as it was sent, and its answer as it was given", async () => {
  let seen: Request | undefined;
  const { url } = await serve(async (request) => {
    seen = request;
    return new Response(`got ${await request.text()}`, { status: 201, headers: { "x-request-id": "req_1" } });
  });
  const answer = await fetch(`${url}/v1/models/a%2Fb?q=1`, {
    method: "POST",
    body: "schöner Text",
    headers: { "x-a": "b" },
  });
  expect([seen?.method, seen?.url]).toEqual(["POST", `${url}/v1/models/a%2Fb?q=1`]);
  expect([seen?.headers.get("x-a"), seen?.headers.get("host")]).toEqual(["b", new URL(url).host]);
  expect([answer.status, answer.headers.get("x-request-id"), await answer.text()]).toEqual([
    201,
    "req_1",
    "got schöner Text",
  ]);
});

test("a target that is a URL, or begins with two slashes, names no other host", async () => {
  const { url } = await serve(async (request) => new Response(request.url));
  expect(await body(await ask(url, { path: "http://evil.example/v1/models" }))).toBe(`${url}/v1/models`);
  expect(await body(await ask(url, { path: "//evil.example/v1" }))).toBe(`${url}//evil.example/v1`);
});

test("HEAD and OPTIONS reach the handler, and HEAD gets no body", async () => {
  const { url } = await serve(async ({ method }) => new Response(method, { headers: { "x-method": method } }));
  const head = await fetch(url, { method: "HEAD" });
  expect([head.headers.get("x-method"), await head.text()]).toEqual(["HEAD", ""]);
  expect(await (await fetch(url, { method: "OPTIONS" })).text()).toBe("OPTIONS");
});

test("a connection serves one request after the other, also when a body was left unread", async () => {
  const { url } = await serve(async () => new Response("no"));
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ports = new Set<number | undefined>();
  for (const sent of [MB, 0, MB]) {
    const answer = await ask(url, { method: "POST", agent, headers: { "content-length": sent } }, Buffer.alloc(sent));
    ports.add(answer.socket.localPort);
    expect(await body(answer)).toBe("no");
  }
  agent.destroy();
  expect(ports.size).toBe(1);
});

test("a body is read while it is being sent, and answered piece by piece", async () => {
  const { url } = await serve(
    async (request) =>
      new Response(request.body?.pipeThrough(upperCase()), { headers: { "content-type": "text/plain" } }),
  );
  const outgoing = openRequest(url, { method: "POST" });
  outgoing.write("one");
  const [answer] = (await once(outgoing, "response")) as [IncomingMessage];
  answer.setEncoding("utf8");
  expect((await once(answer, "data"))[0]).toBe("ONE");
  outgoing.end("two");
  expect(await body(answer)).toBe("TWO");
});

test("a handler that does not read holds up the sender", async () => {
  const gate = deferred<void>();
  const { url } = await serve(async (request) => {
    await gate.promise;
    return new Response(String((await request.arrayBuffer()).byteLength));
  });
  const outgoing = openRequest(url, { method: "POST", headers: { "content-length": 64 * MB } });
  const answered = once(outgoing, "response") as Promise<[IncomingMessage]>;
  const piece = Buffer.alloc(MB);
  let sent = 0;
  while (sent < 64 && outgoing.write(piece)) sent++;
  expect(sent).toBeLessThan(64);
  gate.resolve();
  for (sent++; sent < 64; sent++) if (!outgoing.write(piece)) await once(outgoing, "drain");
  outgoing.end();
  expect(await body((await answered)[0])).toBe(String(64 * MB));
});

test("a reader that stops is not read ahead for, and a client that leaves aborts the request at once", async () => {
  let pulled = 0;
  const stalled = deferred<void>();
  const cancelled = deferred<void>();
  let signal: AbortSignal | undefined;
  const { url } = await serve(async (request) => {
    signal = request.signal;
    let timer: NodeJS.Timeout | undefined;
    const stream = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          pulled++;
          clearTimeout(timer);
          timer = setTimeout(stalled.resolve, 200);
          controller.enqueue(new Uint8Array(MB));
        },
        cancel: () => cancelled.resolve(),
      },
      { highWaterMark: 0 },
    );
    return new Response(stream);
  });
  const answer = await ask(url, {});
  answer.pause();
  await stalled.promise;
  expect(pulled).toBeLessThan(32); // what the two sockets' buffers hold, of an endless stream
  expect(signal?.aborted).toBe(false);
  answer.destroy();
  await cancelled.promise;
  expect(signal?.aborted).toBe(true);
});

test("a client that leaves before there is an answer aborts the request, which is no bug", async () => {
  const arrived = deferred<AbortSignal>();
  const bugs: unknown[] = [];
  const { url } = await serve(
    ({ signal }) =>
      new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason));
        arrived.resolve(signal);
      }),
    (error) => bugs.push(error),
  );
  const outgoing = openRequest(url).end();
  outgoing.on("error", () => {});
  const signal = await arrived.promise;
  outgoing.destroy();
  if (!signal.aborted) await once(signal, "abort");
  expect(bugs).toEqual([]);
});

test("a client that leaves amid its body ends the reading of it", async () => {
  const arrived = deferred<void>();
  const failed = deferred<unknown>();
  const { url } = await serve(async (request) => {
    const reading = request.text();
    arrived.resolve();
    await reading.catch(failed.resolve);
    return new Response();
  });
  const outgoing = openRequest(url, { method: "POST", headers: { "content-length": 100 } });
  outgoing.on("error", () => {});
  outgoing.write("half");
  await arrived.promise;
  outgoing.destroy();
  expect(await failed.promise).toBeInstanceOf(Error);
});

test("a handler that fails is answered with 500 in OpenAI's shape; amid an answer the connection is cut", async () => {
  const bugs: unknown[] = [];
  const broken = new Error("broken");
  const { url } = await serve(
    async (request) => {
      if (request.method === "GET") throw broken;
      return new Response(
        new ReadableStream({
          pull(controller) {
            controller.error(broken);
          },
        }),
      );
    },
    (error) => bugs.push(error),
  );
  const answer = await fetch(url);
  expect([answer.status, answer.headers.get("x-should-retry")]).toEqual([500, "false"]);
  expect((await answer.json()).error).toMatchObject({ type: "server_error", param: null, code: "internal_error" });
  await expect(fetch(url, { method: "POST" }).then((cut) => cut.text())).rejects.toThrow();
  expect(bugs).toEqual([broken, broken]);
});

test.each([
  ["no HTTP", "hello\r\n\r\n", 400, "invalid_request"],
  [
    "headers without an end",
    `GET / HTTP/1.1\r\nhost: x\r\nx-a: ${"a".repeat(20_000)}\r\n\r\n`,
    431,
    "headers_too_large",
  ],
  ["a method that no Request has", "TRACE / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", 400, "invalid_request"],
  ["a Host that is no host", "GET / HTTP/1.1\r\nhost: a b\r\nconnection: close\r\n\r\n", 400, "invalid_request"],
])("%s is answered in OpenAI's shape", async (_, sent, status, code) => {
  const { url } = await serve(async () => new Response());
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  socket.write(sent);
  const [head, json] = (await readAll(socket)).split("\r\n\r\n");
  expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  expect(head).toMatch(/^content-type: application\/json/im);
  expect(json).toContain(`"code":"${code}"`);
});

test("a port that is taken and an address that is not ours are said in words", async () => {
  const { url } = await serve(async () => new Response());
  const start = (host: string, port: number) => startHttpServer({ handler: async () => new Response(), host, port });
  await expect(start("127.0.0.1", Number(new URL(url).port))).rejects.toThrow(/port \d+ is taken.*--port 0/);
  await expect(start("192.0.2.1", 0)).rejects.toThrow("--host 192.0.2.1 is no address of this machine");
});

test("stopping lets a running answer say why it ends, and takes no more", async () => {
  const disposed = deferred<void>();
  const encoder = new TextEncoder();
  const server = await serve(
    async () =>
      new Response(
        new ReadableStream({
          async start(controller) {
            controller.enqueue(encoder.encode("data: 1\n\n"));
            await disposed.promise;
            controller.enqueue(encoder.encode('data: {"error":{}}\n\n'));
            controller.close();
          },
        }),
      ),
  );
  const answer = await ask(server.url, {});
  const stopped = server.stop(async () => disposed.resolve());
  expect(await body(answer)).toBe('data: 1\n\ndata: {"error":{}}\n\n');
  await stopped;
  await expect(fetch(server.url)).rejects.toThrow();
});

test("stopping cuts an answer that does not end, and tells its handler", async () => {
  const begun = deferred<AbortSignal>();
  const server = await serve(async ({ signal }) => {
    begun.resolve(signal);
    return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  });
  const cut = expect(fetch(server.url)).rejects.toThrow();
  const signal = await begun.promise;
  await server.stop(async () => {});
  await cut;
  if (!signal.aborted) await once(signal, "abort");
});

function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

function ask(
  url: string,
  options: { method?: string; path?: string; agent?: Agent; headers?: OutgoingHttpHeaders },
  sent?: Buffer,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    openRequest(url, options, resolve).on("error", reject).end(sent);
  });
}

function body(answer: IncomingMessage): Promise<string> {
  return readAll(answer);
}

function upperCase(): TransformStream<Uint8Array, Uint8Array> {
  const [decoder, encoder] = [new TextDecoder(), new TextEncoder()];
  return new TransformStream({
    transform: (bytes, controller) => controller.enqueue(encoder.encode(decoder.decode(bytes).toUpperCase())),
  });
}
