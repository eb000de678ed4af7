// The OpenAI HTTP surface as one function from a Request to a Response. The page's `engine.fetch`, the service worker and
// `npm run serve` call it; sockets, keys and CORS are theirs.
import type { ChatCompletionCreateParams, ChatCompletions, Models } from "../api/types.ts";
import { EngineError, throwIfAborted } from "../base/errors.ts";
import { untilAbort } from "../base/until-abort.ts";
import { eventBody } from "./event-body.ts";
import { type Exchange, openExchange, type RequestRecord } from "./exchange.ts";
import { failureOf, failureResponse, jsonResponse } from "./failure.ts";
import { readJson } from "./request-body.ts";
import { type Route, routeOf } from "./routes.ts";

export type { RequestRecord };

/** The parts of an engine that answer. */
export interface AnsweringEngine {
  readonly chat: { readonly completions: ChatCompletions };
  readonly models: Models;
}

/** What sockets and ports need of a handler. Rejects only once the request's signal has fired. */
export type RequestHandler = (request: Request) => Promise<Response>;

/** Called as `fetch` is, and fit to be the `fetch` of the `openai` package. */
export type FetchHandler = (input: Request | string | URL, init?: RequestInit) => Promise<Response>;

export interface FetchHandlerOptions {
  /** Gets each request's record, once, when its response has ended. */
  readonly onRequest?: (record: RequestRecord) => void;
}

/**
 * `POST /v1/chat/completions`, `GET /v1/models` and `GET /v1/models/{id}` at any host; `http://ingle/v1` is the base URL to
 * name. Every failure is a Response with OpenAI's error body, since clients retry a `fetch` that rejects; it rejects only
 * when the request's signal fires, with the signal's reason, as `fetch` does.
 */
export function createFetchHandler(engine: AnsweringEngine, { onRequest }: FetchHandlerOptions = {}): FetchHandler {
  return async (input, init) => {
    const exchange = openExchange(onRequest);
    const signal = signalOf(input, init);
    try {
      throwIfAborted(signal);
      return await untilAbort(respond(engine, { input, init, signal, exchange }), signal);
    } catch (error) {
      if (signal?.aborted) {
        exchange.end(CLIENT_LEFT, "aborted");
        throw signal.reason;
      }
      const failure = failureOf(error, exchange.requestId);
      exchange.end(failure.status, failure.error.code ?? undefined);
      return failureResponse(failure, exchange.requestId);
    }
  };
}

/** The usual status in logs for a client that left before its response. */
const CLIENT_LEFT = 499;

/** Completes what has a path only. */
const BASE_URL = "http://ingle/";

interface Call {
  readonly input: Request | string | URL;
  readonly init: RequestInit | undefined;
  readonly signal: AbortSignal | undefined;
  readonly exchange: Exchange;
}

async function respond(engine: AnsweringEngine, call: Call): Promise<Response> {
  const { signal, exchange } = call;
  const request = requestOf(call);
  const path = new URL(request.url).pathname;
  exchange.asked(request.method, path);
  const route = routeOf(request.method, path);
  if (route.name === "createCompletion")
    return complete(engine, await readJson(request, contentTypeOf(call), signal), call);
  const answer = await modelsAnswer(engine.models, route, signal);
  exchange.end(200);
  return jsonResponse(answer, exchange.requestId);
}

async function complete(engine: AnsweringEngine, params: unknown, { signal, exchange }: Call): Promise<Response> {
  const answer = await engine.chat.completions.create(params as ChatCompletionCreateParams, { signal });
  if (!(Symbol.asyncIterator in answer)) {
    exchange.saw(answer);
    exchange.end(200);
    return jsonResponse(answer, exchange.requestId);
  }
  const rest = answer[Symbol.asyncIterator]();
  // What fails before the first chunk still has its status.
  const first = await rest.next();
  return new Response(eventBody({ first, rest }, signal, exchange), {
    headers: {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-cache",
      "x-request-id": exchange.requestId,
    },
  });
}

function modelsAnswer(models: Models, route: Exclude<Route, { name: "createCompletion" }>, signal: Call["signal"]) {
  if (route.name === "listModels") return models.list({ signal });
  return models.retrieve(route.id, { signal });
}

/** Without the signal, which is heard by itself: a copy would listen for as long as the Request is not collected. */
function requestOf({ input, init }: Call): Request {
  try {
    return new Request(isRequest(input) ? input : new URL(input, BASE_URL), { ...init, signal: null });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : cause;
    throw new EngineError("invalid_request", `This is not a request that can be answered: ${reason}`, { cause });
  }
}

function signalOf(input: Call["input"], init: Call["init"]): AbortSignal | undefined {
  const signal = init?.signal === undefined && isRequest(input) ? input.signal : init?.signal;
  return signal ?? undefined;
}

/** As the caller gave it: a Request that is made of a string adds `text/plain` by itself. */
function contentTypeOf({ input, init }: Call): string | null {
  const headers = init?.headers === undefined && isRequest(input) ? input.headers : init?.headers;
  return new Headers(headers).get("content-type");
}

/** Also for one of another window, which is no instance of this one's class. */
function isRequest(input: Call["input"]): input is Request {
  return typeof input === "object" && "headers" in input;
}
