// The listening side: limits on what a client may hold up, errors below HTTP in OpenAI's shape, and an end in good order.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type { RequestHandler } from "../../src/server/fetch-handler.ts";
import { CommandError } from "../command-error.ts";
import { baseUrl } from "./address.ts";
import { exchange } from "./http-bridge.ts";
import { refuse } from "./refusal.ts";

const LIMITS = {
  headersTimeout: 10_000,
  requestTimeout: 60_000, // for headers and body; 16 MB pass at 2.2 Mbit/s. An answer may take as long as it likes
  connectionsCheckingInterval: 5_000, // how often the two above are looked at
  keepAliveTimeout: 60_000, // as long as the connection pools of common proxies
  maxHeaderSize: 16_384,
} as const;
const STOP_TIMEOUT_MS = 5_000; // for error frames to reach readers that still read

export interface HttpServerOptions {
  readonly handler: RequestHandler;
  /** Name or address to listen at. */
  readonly host: string;
  /** 0 for any free one. */
  readonly port: number;
  /** Gets what a handler threw though its client was still there. Default: to stderr. */
  readonly onBug?: (error: unknown) => void;
}

export interface HttpServer {
  /** Without a slash at the end, as in `http://127.0.0.1:8080`. */
  readonly url: string;
  /**
   * Accepts no more, calls `endAnswers`, which makes running answers end, and waits for them to leave: for five seconds,
   * then connections are cut. @throws what `endAnswers` throws
   */
  stop(endAnswers: () => Promise<void>): Promise<void>;
}

/** @throws CommandError when the port is taken or the address is not this machine's */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { handler, host, port, onBug = console.error } = options;
  const running = new Set<Promise<void>>();
  const latest = new WeakMap<Duplex, ServerResponse>();
  let stopping = false;

  const server = createServer(LIMITS, (incoming: IncomingMessage, outgoing: ServerResponse) => {
    latest.set(incoming.socket, outgoing);
    if (stopping) outgoing.shouldKeepAlive = false;
    const answer = exchange(handler, incoming, outgoing, onBug);
    running.add(answer);
    void answer.finally(() => running.delete(answer));
  });
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Duplex) => {
    const answer = latest.get(socket);
    const midAnswer = answer?.headersSent && !answer.writableEnded;
    if (!socket.writable || midAnswer || error.code === "ECONNRESET") socket.destroy();
    else void rawAnswer(clientErrorAnswer(error)).then((text) => socket.end(text, () => socket.destroy()));
  });
  await listen(server, host, port);

  return {
    url: baseUrl(host, (server.address() as AddressInfo).port),
    async stop(endAnswers) {
      stopping = true;
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      const timer = new AbortController();
      try {
        const ended = endAnswers().then(() => Promise.all(running));
        await Promise.race([ended, sleep(STOP_TIMEOUT_MS, undefined, { signal: timer.signal })]);
      } finally {
        timer.abort();
        server.closeAllConnections();
        await closed;
      }
    },
  };
}

function clientErrorAnswer({ code, message }: NodeJS.ErrnoException): Response {
  switch (code) {
    case "HPE_HEADER_OVERFLOW":
      return refuse({
        status: 431,
        code: "headers_too_large",
        message: `The request's headers are over ${LIMITS.maxHeaderSize} bytes.`,
      });
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return refuse({
        status: 408,
        code: "request_timeout",
        message: `The request did not arrive within ${LIMITS.requestTimeout / 1000} s.`,
      });
    default:
      return refuse({ status: 400, code: "invalid_request", message: `This is not HTTP/1.1: ${message}.` });
  }
}

/** For a connection that node:http has given up on. */
async function rawAnswer(response: Response): Promise<string> {
  const body = await response.text();
  const headers = {
    ...Object.fromEntries(response.headers),
    "content-length": Buffer.byteLength(body),
    connection: "close",
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${response.status} \r\n${lines.join("")}\r\n${body}`;
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(listenError(error, host, port)));
    server.listen(port, host, resolve);
  });
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number): CommandError {
  switch (error.code) {
    case "EADDRINUSE":
      return new CommandError(`port ${port} is taken. Name another with --port N; --port 0 takes any that is free.`);
    case "EACCES":
      return new CommandError(`port ${port} needs rights that this process lacks. Name one above 1023 with --port N.`);
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return new CommandError(`--host ${host} is no address of this machine.`);
    default:
      return new CommandError(`cannot listen on ${host}, port ${port}: ${error.message}`);
  }
}
