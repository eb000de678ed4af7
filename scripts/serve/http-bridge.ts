// One exchange of node:http as a Request and a Response. Both bodies stream at the pace of whoever reads them, and the
// Request's signal fires as soon as the client is gone.
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { finished } from "node:stream/promises";
import type { RequestHandler } from "../../src/server/fetch-handler.ts";
import { refuse } from "./refusal.ts";

/**
 * Resolves when the answer has left or the client has. A handler that fails is answered with 500, or cut off when its
 * answer had begun, and goes to `onBug`.
 */
export async function exchange(
  handler: RequestHandler,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  onBug: (error: unknown) => void,
): Promise<void> {
  const client = new AbortController();
  outgoing.once("close", () => {
    if (!outgoing.writableFinished) client.abort();
  });
  const body = bodyOf(incoming);
  const request = toRequest(incoming, body?.stream, client.signal);
  try {
    await send(request instanceof Response ? request : await handler(request), outgoing, client.signal);
  } catch (error) {
    if (!client.signal.aborted) {
      onBug(error);
      if (outgoing.headersSent) outgoing.destroy();
      else await send(internalError(), outgoing, client.signal).catch(() => outgoing.destroy());
    }
  } finally {
    body?.discard();
    requests.delete(request);
  }
  await finished(outgoing).catch(ignore); // it rejects for a client that left, which is no news here
}

/** Held while they are answered: Node does not pass an abort on to the signal of a Request that was collected. */
const requests = new Set<Request | Response>();

/** A refusal instead, for what no Request can express. */
function toRequest(
  incoming: IncomingMessage,
  body: ReadableStream<Uint8Array> | undefined,
  signal: AbortSignal,
): Request | Response {
  const { method = "GET", headers, url = "/" } = incoming;
  let request: Request;
  try {
    // A target may also be a whole URL (RFC 9112 §3.2.2); its path counts, and the Host header names the host.
    const target = url.startsWith("/") ? url : pathOf(url);
    request = new Request(`http://${headers.host ?? "localhost"}${target}`, {
      method,
      headers: Object.entries(headers).flatMap(([name, value]) =>
        value === undefined ? [] : [[name, String(value)] as [string, string]],
      ),
      signal,
      ...(body && { body, duplex: "half" }),
    });
  } catch {
    const message = `This server cannot answer ${method} ${url}: the method, the target or the Host header is not a usable one.`;
    return refuse({ status: 400, code: "invalid_request", message });
  }
  requests.add(request);
  return request;
}

function pathOf(url: string): string {
  const { pathname, search } = new URL(url);
  return pathname + search;
}

/** Reads a piece when it is asked for one. `discard` lets the rest run past, so that the connection can be used again. */
function bodyOf(incoming: IncomingMessage): { stream: ReadableStream<Uint8Array>; discard(): void } | undefined {
  const { method, headers } = incoming;
  const announced = headers["transfer-encoding"] !== undefined || Number(headers["content-length"]) > 0;
  if (!announced || method === "GET" || method === "HEAD") return undefined;
  const pieces = incoming.iterator({ destroyOnReturn: false });
  const discard = () => void pieces.return?.().then(() => incoming.resume(), ignore);
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await pieces.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: discard,
    },
    { highWaterMark: 0 },
  );
  return { stream, discard };
}

async function send(response: Response, outgoing: ServerResponse, client: AbortSignal): Promise<void> {
  const { body, status, headers } = response;
  if (client.aborted) return void body?.cancel(client.reason).catch(ignore);
  outgoing.writeHead(status, Object.fromEntries(headers));
  if (!body || outgoing.req.method === "HEAD") {
    outgoing.end();
    return void body?.cancel().catch(ignore);
  }
  outgoing.flushHeaders(); // a stream's first piece may be long in coming
  const reader = body.getReader();
  const leave = () => void reader.cancel(client.reason).catch(ignore);
  client.addEventListener("abort", leave, { once: true });
  try {
    for (let piece = await reader.read(); !piece.done; piece = await reader.read())
      if (!outgoing.write(piece.value)) await once(outgoing, "drain", { signal: client });
  } finally {
    client.removeEventListener("abort", leave);
  }
  outgoing.end();
}

function internalError(): Response {
  const message = "The server failed to answer this request. Its log says why.";
  return refuse({ status: 500, code: "internal_error", message, headers: { "x-should-retry": "false" } });
}

function ignore(): void {}
