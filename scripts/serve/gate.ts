// Who is let in. With a key: whoever knows it. Without one: programs of this machine, and no web page that was not named.
import { createHash, timingSafeEqual } from "node:crypto";
import { newRequestId } from "../../src/server/exchange.ts";
import type { RequestHandler, RequestRecord } from "../../src/server/fetch-handler.ts";
import { isLoopback } from "./address.ts";
import { type Refusal, refuse } from "./refusal.ts";

export interface Policy {
  /** What `authorization: Bearer …` has to carry. */
  readonly apiKey: string | undefined;
  /** Name or address that the server listens at. */
  readonly host: string;
  /** Origins of web pages that may call, as in `https://example.org`. */
  readonly origins: readonly string[];
}

export interface GateOptions {
  readonly policy: Policy;
  /** Answers what is let in; undefined while models are loading. */
  readonly handler: () => RequestHandler | undefined;
  /** Gets a record of each request that went no further, as the handler gives one of each that it answered. */
  readonly onRequest: (record: RequestRecord) => void;
}

/** A handler that passes on what the policy lets in, and answers the rest, preflights among it. */
export function createGate({ policy, handler, onRequest }: GateOptions): RequestHandler {
  const checkAccess = policy.apiKey === undefined ? withoutKey(policy) : withKey(policy.apiKey);
  return async (request) => {
    const start = performance.now();
    // A preflight carries no key, and is judged by its origin alone.
    const verdict = checkPreflight(request, policy) ?? checkAccess(request);
    const behind = handler();
    if (!verdict && behind) return allowReading(request, await behind(request), policy);
    const requestId = newRequestId();
    const refusal = verdict ?? STILL_LOADING;
    const response = refusal === "preflight" ? preflightAnswer(request) : refuse(refusal, requestId);
    onRequest({
      requestId,
      method: request.method,
      path: new URL(request.url).pathname,
      status: response.status,
      streamed: false,
      durationMs: performance.now() - start,
      completionId: undefined,
      model: undefined,
      usage: undefined,
      errorCode: refusal === "preflight" ? undefined : refusal.code,
    });
    return allowReading(request, response, policy);
  };
}

const STILL_LOADING: Refusal = {
  status: 503,
  code: "model_not_loaded",
  message: "The server has just been started and is loading its models. Try again in a moment.",
  headers: { "retry-after": "2" },
};

/** Compares digests, all of one length, in constant time: how long it takes says nothing about the key. */
function withKey(apiKey: string): (request: Request) => Refusal | undefined {
  const digestOf = (text: string) => createHash("sha256").update(text).digest();
  const digest = digestOf(apiKey);
  return ({ headers }) => {
    const given = /^Bearer +(.*)$/i.exec(headers.get("authorization") ?? "")?.[1];
    if (given !== undefined && timingSafeEqual(digestOf(given), digest)) return undefined;
    return {
      status: 401,
      code: "invalid_api_key",
      message:
        given === undefined
          ? "This server needs an API key: send it as `authorization: Bearer KEY`."
          : "This is not the API key that the server was started with.",
      headers: { "www-authenticate": "Bearer" },
    };
  };
}

/** What a browser says of its page is all that there is to go by: pages elsewhere must not use this machine's server. */
function withoutKey(policy: Policy): (request: Request) => Refusal | undefined {
  return (request) => checkHost(request, policy) ?? checkOrigin(request, policy);
}

/** A page elsewhere can give its own name this machine's address (DNS rebinding); the Host header still has that name. */
function checkHost({ headers }: Request, { host }: Policy): Refusal | undefined {
  const header = headers.get("host") ?? "";
  const name = header.replace(/:\d*$/, "").replace(/^\[(.*)\]$/, "$1");
  if (isLoopback(name) || name.toLowerCase() === host.toLowerCase()) return undefined;
  return {
    status: 403,
    code: "host_not_allowed",
    message: `Without an API key this server answers as localhost or ${host} only, and the Host header is '${header}'. Started with --api-key, it answers under any name.`,
  };
}

/** A page may send a simple POST anywhere. It could not read the answer, but the answer would be computed. */
function checkOrigin({ method, headers }: Request, { origins }: Policy): Refusal | undefined {
  const origin = headers.get("origin");
  if (origin === null || method === "GET" || method === "HEAD" || origins.includes(origin)) return undefined;
  return origin === `http://${headers.get("host")}` ? undefined : originRefusal(origin);
}

function checkPreflight({ method, headers }: Request, { origins }: Policy): Refusal | "preflight" | undefined {
  const origin = headers.get("origin");
  if (method !== "OPTIONS" || origin === null || !headers.has("access-control-request-method")) return undefined;
  return origins.includes(origin) ? "preflight" : originRefusal(origin);
}

function preflightAnswer({ headers }: Request): Response {
  const response = new Response(null, {
    status: 204,
    headers: {
      "access-control-allow-methods": "GET, POST",
      "access-control-allow-headers": headers.get("access-control-request-headers") ?? "authorization, content-type",
      "access-control-max-age": "600",
    },
  });
  // Chromium asks for this before a page of the internet may call into the user's own network.
  if (headers.has("access-control-request-private-network"))
    response.headers.set("access-control-allow-private-network", "true");
  return response;
}

function originRefusal(origin: string): Refusal {
  return {
    status: 403,
    code: "origin_not_allowed",
    message: `Pages of ${origin} may not call this server. Started with --cors ${origin}, it lets them.`,
  };
}

/** Lets pages of the named origins read the answer, and those of its headers that the `openai` package looks at. */
function allowReading(request: Request, response: Response, { origins }: Policy): Response {
  if (origins.length === 0) return response;
  response.headers.append("vary", "origin");
  const origin = request.headers.get("origin");
  if (origin === null || !origins.includes(origin)) return response;
  response.headers.set("access-control-allow-origin", origin);
  response.headers.set("access-control-expose-headers", "x-request-id, x-should-retry, retry-after, retry-after-ms");
  return response;
}
