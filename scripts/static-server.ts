// A small static server for the built demo and the model files: strict CSP on every answer, Range requests, loopback only.
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize, sep } from "node:path";
import { CommandError } from "./command-error.ts";

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
};
const PORTS_TO_TRY = 50;

export interface StaticServerOptions {
  /** URL prefix -> folder; the longest prefix that fits wins. */
  folders: Readonly<Record<string, string>>;
  /** Sent with every answer. */
  headers?: Readonly<Record<string, string>>;
  /** The first port to try; 0 for any free one. */
  port?: number;
}

export interface StaticServer {
  /** Ends in a slash. */
  url: string;
  close(): Promise<void>;
}

/** @throws CommandError when no port is free */
export async function startStaticServer(options: StaticServerOptions): Promise<StaticServer> {
  const server = createServer((request, response) => {
    for (const [name, value] of Object.entries(options.headers ?? {})) response.setHeader(name, value);
    serveFile(request, response, options.folders).catch((error) => {
      if (!response.headersSent) response.writeHead(500, { "content-type": "text/plain" });
      response.end(String(error));
    });
  });
  const port = await listenOnFreePort(server, options.port ?? 0);
  return {
    url: `http://127.0.0.1:${port}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Answers one GET or HEAD from the folders. Also the dev server's way to the models. */
export async function serveFile(
  request: IncomingMessage,
  response: ServerResponse,
  folders: StaticServerOptions["folders"],
): Promise<void> {
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.writeHead(405, { allow: "GET, HEAD" }).end();
    return;
  }
  const path = resolvePath(request.url ?? "/", folders);
  const found = path === undefined ? undefined : await stat(path).catch(() => undefined);
  if (path === undefined || !found?.isFile()) {
    response.writeHead(404, { "content-type": "text/plain" }).end("Not found\n");
    return;
  }
  const etag = `"${found.size.toString(16)}-${Math.trunc(found.mtimeMs).toString(16)}"`;
  response.setHeader("content-type", TYPES[extname(path)] ?? "application/octet-stream");
  response.setHeader("etag", etag);
  response.setHeader("accept-ranges", "bytes");
  response.setHeader("cache-control", "no-cache"); // kept, but asked about each time: a rebuilt page is never stale
  if (request.headers["if-none-match"] === etag) {
    response.writeHead(304).end();
    return;
  }
  const stale = request.headers["if-range"] !== undefined && request.headers["if-range"] !== etag;
  const range = stale ? undefined : parseRange(request.headers.range, found.size);
  if (range === "unsatisfiable") {
    response.writeHead(416, { "content-range": `bytes */${found.size}` }).end();
    return;
  }
  const { start, end } = range ?? { start: 0, end: found.size };
  response.setHeader("content-length", end - start);
  if (range !== undefined) response.setHeader("content-range", `bytes ${start}-${end - 1}/${found.size}`);
  response.writeHead(range === undefined ? 200 : 206);
  if (request.method === "HEAD" || start === end) {
    response.end();
    return;
  }
  const stream = createReadStream(path, { start, end: end - 1, highWaterMark: 1 << 20 });
  stream.on("error", () => response.destroy());
  response.on("close", () => stream.destroy());
  stream.pipe(response);
}

/** One range of RFC 9110 §14.2 as [start, end); several ranges are answered with the whole file. */
export function parseRange(
  header: string | undefined,
  size: number,
): { start: number; end: number } | "unsatisfiable" | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? "");
  if (match === null || (match[1] === "" && match[2] === "")) return undefined;
  if (match[1] === "") {
    const length = Math.min(Number(match[2]), size);
    return length === 0 ? "unsatisfiable" : { start: size - length, end: size };
  }
  const start = Number(match[1]);
  const last = match[2] === "" ? Number.POSITIVE_INFINITY : Number(match[2]);
  if (last < start) return undefined;
  return start >= size ? "unsatisfiable" : { start, end: Math.min(last + 1, size) };
}

function resolvePath(url: string, folders: StaticServerOptions["folders"]): string | undefined {
  let pathname: string;
  try {
    pathname = decodeURIComponent(new URL(url, "http://localhost").pathname);
  } catch {
    return undefined;
  }
  const prefix = Object.keys(folders)
    .filter((candidate) => pathname.startsWith(candidate))
    .sort((a, b) => b.length - a.length)[0];
  if (prefix === undefined || pathname.includes("\0")) return undefined;
  const folder = normalize(`${folders[prefix]}${sep}`);
  const rest = pathname.slice(prefix.length);
  const path = normalize(join(folder, rest === "" || rest.endsWith("/") ? `${rest}index.html` : rest));
  return path.startsWith(folder) ? path : undefined;
}

async function listenOnFreePort(server: Server, first: number): Promise<number> {
  for (let port = first; port < first + PORTS_TO_TRY; port++) {
    const error = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
      server.once("error", resolve);
      server.listen(port, "127.0.0.1", () => {
        server.off("error", resolve);
        resolve(undefined);
      });
    });
    if (error === undefined) return (server.address() as AddressInfo).port;
    if (error.code !== "EADDRINUSE" && error.code !== "EACCES") throw new CommandError(error.message);
  }
  throw new CommandError(`no free port between ${first} and ${first + PORTS_TO_TRY - 1}. Name another with --port.`);
}
