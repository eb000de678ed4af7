// One request on its way to the end of its response: its id, and the record that is handed out when it is over.
import type { ChatCompletion, ChatCompletionChunk, CompletionUsage } from "../api/types.ts";

/** What an access line is made of. It has no text of any message. */
export interface RequestRecord {
  /** The response's `x-request-id`. */
  readonly requestId: string;
  /** Empty, as the path is, for a call that was no request at all. */
  readonly method: string;
  /** Of the URL, percent-encoded, without its query. */
  readonly path: string;
  /** 499 when the caller left before there was a response. */
  readonly status: number;
  readonly streamed: boolean;
  /** To the last byte of the body, in milliseconds. */
  readonly durationMs: number;
  /** The answer's id, by which the engine's figures of the same request are found. */
  readonly completionId: string | undefined;
  /** The model that answered. */
  readonly model: string | undefined;
  /** Where the answer had it: a stream without `include_usage` has none. */
  readonly usage: CompletionUsage | undefined;
  /** The error's `code` as the client saw it; `aborted` when the client left. */
  readonly errorCode: string | undefined;
}

export interface Exchange {
  readonly requestId: string;
  readonly ended: boolean;
  asked(method: string, path: string): void;
  /** Takes a plain answer or, from the first of them on, the chunks of a streamed one. */
  saw(answer: ChatCompletion | ChatCompletionChunk): void;
  /** Later calls do nothing. */
  end(status: number, errorCode?: string): void;
}

/** @param onRequest gets the record, once, in a task of its own: what it throws is its owner's error */
export function openExchange(onRequest?: (record: RequestRecord) => void): Exchange {
  const requestId = newRequestId();
  const start = performance.now();
  let [method, path] = ["", ""];
  let latest: ChatCompletion | ChatCompletionChunk | undefined;
  let ended = false;
  return {
    requestId,
    get ended() {
      return ended;
    },
    asked(askedMethod, askedPath) {
      [method, path] = [askedMethod, askedPath];
    },
    saw(answer) {
      latest = answer;
    },
    end(status, errorCode) {
      if (ended) return;
      ended = true;
      if (!onRequest) return;
      const record: RequestRecord = {
        requestId,
        method,
        path,
        status,
        streamed: latest?.object === "chat.completion.chunk",
        durationMs: performance.now() - start,
        completionId: latest?.id,
        model: latest?.model,
        usage: latest?.usage ?? undefined,
        errorCode,
      };
      queueMicrotask(() => onRequest(record));
    },
  };
}

export function newRequestId(): string {
  return `req_${crypto.randomUUID().replaceAll("-", "")}`;
}
