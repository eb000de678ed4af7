// An engine of prepared answers, for what the handler makes of them: errors, whole answers, chunks.
import type {
  ChatCompletion,
  ChatCompletionChunk,
  ChatCompletions,
  Model,
  RequestOptions,
} from "../../src/api/types.ts";
import { controlledStream } from "../../src/base/controlled-stream.ts";
import { EngineError } from "../../src/base/errors.ts";
import type { AnsweringEngine } from "../../src/server/fetch-handler.ts";

const HEAD = { id: "chatcmpl-1", created: 1741569952, model: "tiny", system_fingerprint: "fp_1" };

export const ANSWER: ChatCompletion = {
  ...HEAD,
  object: "chat.completion",
  choices: [
    {
      index: 0,
      message: { role: "assistant", content: "Héllo 👋", refusal: null, annotations: [] },
      logprobs: null,
      finish_reason: "stop",
    },
  ],
  usage: {
    prompt_tokens: 9,
    completion_tokens: 3,
    total_tokens: 12,
    prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
    completion_tokens_details: {
      reasoning_tokens: 0,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  },
};

export function chunkOf(content: string, finish_reason: "stop" | null = null): ChatCompletionChunk {
  const choices = [{ index: 0, delta: { content }, logprobs: null, finish_reason }];
  return { ...HEAD, object: "chat.completion.chunk", choices };
}

const MODEL: Model = { id: "org/tiny model", object: "model", created: 1741569952, owned_by: "ingle" };

export interface FakeEngine extends AnsweringEngine {
  /** What `create` was called with. */
  readonly requests: readonly unknown[];
  /** Chunks that were taken. */
  readonly pulled: number;
  /** The stream was left or aborted before its end. */
  readonly left: boolean;
}

/** @param answer what `create` rejects with, resolves to, or streams: an Error among the chunks is thrown there */
export function fakeEngine(answer: Error | ChatCompletion | Iterable<ChatCompletionChunk | Error>): FakeEngine {
  const requests: unknown[] = [];
  let pulled = 0;
  let left = false;

  function streamOf(chunks: Iterable<ChatCompletionChunk | Error>, signal: RequestOptions["signal"]) {
    const controller = new AbortController();
    signal?.addEventListener("abort", () => controller.abort(signal.reason));
    const items = chunks[Symbol.iterator]();
    const source: AsyncIterator<ChatCompletionChunk, undefined> = {
      async next() {
        const { done, value } = items.next();
        if (done) return { done: true, value: undefined };
        if (value instanceof Error) throw value;
        pulled++;
        return { done: false, value };
      },
      async return() {
        left = true;
        return { done: true, value: undefined };
      },
    };
    return controlledStream(source, controller);
  }

  async function create(params: unknown, { signal }: RequestOptions = {}) {
    requests.push(params);
    if (answer instanceof Error) throw answer;
    return Symbol.iterator in answer ? streamOf(answer, signal) : answer;
  }

  return {
    requests,
    get pulled() {
      return pulled;
    },
    get left() {
      return left;
    },
    chat: { completions: { create: create as ChatCompletions["create"] } },
    models: {
      list: async () => ({ object: "list", data: [MODEL] }),
      async retrieve(id) {
        if (id === MODEL.id) return MODEL;
        throw new EngineError("model_not_found", `The model '${id}' is not loaded.`, { param: "model" });
      },
    },
  };
}
