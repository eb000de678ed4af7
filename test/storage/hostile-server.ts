// A local file server that can be told to misbehave, and that counts what it sent.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { sleep } from "../../src/base/until-abort.ts";

export interface Hostile {
  body: Uint8Array;
  etag: string | undefined;
  /** False: every answer is a 200 with the whole file. */
  ranges: boolean;
  contentType: string;
  /** Statuses of the next answers, before it behaves again. */
  statuses: number[];
  /** Cut the connection of the next answers after so many bytes of the body. */
  cuts: number[];
  /** The next answers send nothing after their headers. */
  stalls: number;
  /** Sends chunked, without Content-Length. */
  hideLength: boolean;
  /** Sends 206 without Content-Range, as a server whose CORS headers hide it seems to. */
  hideRange: boolean;
  /** Replaces the Content-Range of later answers. */
  contentRange: string | undefined;
  /** Before each answer: tests change the behaviour by the number of the request. */
  onRequest: (count: number) => void;
}

export interface HostileServer {
  readonly url: string;
  readonly behaviour: Hostile;
  readonly requests: { method: string; range: string | undefined }[];
  /** Bytes of bodies handed to sockets. */
  readonly sentBytes: number;
  readonly mostAtOnce: number;
  close(): Promise<void>;
}

const WRITE_BYTES = 64 * 1024;

/** Resolves when the socket takes more, or is closed. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const go = () => {
      response.off("drain", go);
      response.off("close", go);
      resolve();
    };
    response.on("drain", go);
    response.on("close", go);
  });
}

export async function startHostileServer(body: Uint8Array): Promise<HostileServer> {
  const behaviour: Hostile = {
    body,
    etag: '"v1"',
    ranges: true,
    contentType: "application/octet-stream",
    statuses: [],
    cuts: [],
    stalls: 0,
    hideLength: false,
    hideRange: false,
    contentRange: undefined,
    onRequest: () => {},
  };
  const requests: HostileServer["requests"] = [];
  let [sentBytes, atOnce, mostAtOnce] = [0, 0, 0];

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    requests.push({ method: request.method!, range: request.headers.range });
    behaviour.onRequest(requests.length);
    const { body, etag, ranges, statuses, cuts, hideLength, hideRange, contentRange } = behaviour;
    const status = statuses.shift();
    if (status !== undefined) return void response.writeHead(status).end("no");
    const match = ranges && request.method === "GET" ? /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") : null;
    const first = match ? Number(match[1]) : 0;
    const end = match ? Math.min(Number(match[2]) + 1, body.length) : body.length;
    response.writeHead(match ? 206 : 200, {
      "content-type": behaviour.contentType,
      ...(etag && { etag }),
      ...(!hideLength && { "content-length": end - first }),
      ...(match && !hideRange && { "content-range": contentRange ?? `bytes ${first}-${end - 1}/${body.length}` }),
    });
    if (request.method === "HEAD") return void response.end();
    response.flushHeaders();
    if (behaviour.stalls > 0) {
      behaviour.stalls--;
      return;
    }
    const cut = cuts.shift() ?? Number.POSITIVE_INFINITY;
    for (let at = first; at < end && !response.destroyed; at += WRITE_BYTES) {
      const stop = Math.min(at + WRITE_BYTES, end, first + cut);
      sentBytes += stop - at;
      if (!response.write(body.subarray(at, stop))) {
        await drained(response);
      }
      if (stop === first + cut) {
        await sleep(5); // let what was written arrive
        return void response.destroy();
      }
    }
    response.end();
  }

  const server = createServer((request, response) => {
    atOnce++;
    mostAtOnce = Math.max(mostAtOnce, atOnce);
    response.once("close", () => atOnce--);
    answer(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/models/tiny%20model.gguf?download=true`,
    behaviour,
    requests,
    get sentBytes() {
      return sentBytes;
    },
    get mostAtOnce() {
      return mostAtOnce;
    },
    close() {
      server.closeAllConnections();
      return new Promise((closed) => server.close(() => closed()));
    },
  };
}
