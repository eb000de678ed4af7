// A failure in the service worker as a client sees it: a response with OpenAI's error body, or one event of a stream.
import { isEngineError, type OpenAIErrorBody } from "../base/errors.ts";

export function errorResponse(error: unknown): Response {
  return new Response(JSON.stringify({ error: errorBody(error) }), {
    status: isEngineError(error) ? error.status : 500,
    // The `openai` package retries every status of 500 and more unless it is told not to.
    headers: { "content-type": "application/json", "x-should-retry": "false" },
  });
}

/** No event name: clients that know none would take the error for a chunk. */
export function errorEvent(error: unknown): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`data: ${JSON.stringify({ error: errorBody(error) })}\n\n`);
}

function errorBody(error: unknown): OpenAIErrorBody {
  if (isEngineError(error)) return error.toOpenAI();
  const message = error instanceof Error ? error.message : String(error);
  return { message, type: "server_error", param: null, code: "internal_error" };
}
