// Errors on their way to a client: status, headers and OpenAI's error body. What is not an EngineError is a bug, and tells
// the client nothing but where to look.
import { isEngineError, type OpenAIErrorBody } from "../base/errors.ts";
import { newRequestId } from "./exchange.ts";

export interface Failure {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly error: OpenAIErrorBody;
}

/** Writes what is not an EngineError to the console. */
export function failureOf(error: unknown, requestId: string): Failure {
  if (!isEngineError(error)) {
    console.error(`Request ${requestId} failed:`, error);
    return { status: 500, headers: NO_RETRY, error: internalError(requestId) };
  }
  return {
    status: error.status,
    headers: {
      ...(error.retryAfter === undefined ? NO_RETRY : { "retry-after": String(error.retryAfter) }),
      ...(isEngineError(error, "method_not_supported") && { allow: error.details?.allowed.join(", ") ?? "" }),
    },
    error: error.toOpenAI(),
  };
}

/** For every error before the first byte; also for callers of the handler that refuse a request themselves. */
export function errorResponse(error: unknown, requestId: string = newRequestId()): Response {
  return failureResponse(failureOf(error, requestId), requestId);
}

export function failureResponse({ status, headers, error }: Failure, requestId: string): Response {
  return jsonResponse({ error }, requestId, { status, headers });
}

export function jsonResponse(
  value: unknown,
  requestId: string,
  { status = 200, headers = {} }: Partial<Pick<Failure, "status" | "headers">> = {},
): Response {
  return new Response(JSON.stringify(value), {
    status,
    headers: { "content-type": "application/json", "x-request-id": requestId, ...headers },
  });
}

/** The `openai` package retries by status alone unless it is told not to. */
const NO_RETRY = { "x-should-retry": "false" };

function internalError(requestId: string): OpenAIErrorBody {
  return {
    message: `The request failed because of a bug in the engine. Its console has more under ${requestId}.`,
    type: "server_error",
    param: null,
    code: "internal_error",
  };
}
