// What the server itself answers before or instead of the handler, in the handler's own form.
import { newRequestId } from "../../src/server/exchange.ts";
import { failureResponse } from "../../src/server/failure.ts";

export interface Refusal {
  readonly status: number;
  readonly code: string;
  /** What happened and what to try. */
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The answer to a request that goes no further. */
export function refuse({ status, code, message, headers = {} }: Refusal, requestId = newRequestId()): Response {
  const type = status < 500 ? "invalid_request_error" : "server_error";
  return failureResponse({ status, headers, error: { message, type, param: null, code } }, requestId);
}
