// What the server itself answers, in OpenAI's error shape, before or instead of the handler behind it.
import { randomUUID } from "node:crypto";

export interface Refusal {
  readonly status: number;
  readonly code: string;
  /** What happened and what to try. */
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The answer to a request that goes no further. Its request id is in `x-request-id`. */
export function refuse({ status, code, message, headers }: Refusal): Response {
  const type = status < 500 ? "invalid_request_error" : "server_error";
  return Response.json(
    { error: { message, type, param: null, code } },
    { status, headers: { "x-request-id": `req_${randomUUID().replaceAll("-", "")}`, ...headers } },
  );
}
