// Events -> chat.completion.chunk, and the fold of chunks into a chat.completion: the plain answer is the streamed one, added up.
import type {
  ChatCompletion,
  ChatCompletionChunk,
  ChatCompletionDelta,
  ChatCompletionLogprobs,
  CompletionUsage,
  FinishReason,
} from "../api/types.ts";
import { invariant } from "../base/invariant.ts";
import type { GenerationEvent } from "./generate.ts";

export interface ChunkHead {
  readonly id: string;
  /** Unix time in seconds. */
  readonly created: number;
  readonly model: string;
  readonly fingerprint: string;
  readonly promptTokens: number;
  readonly cachedTokens: number;
  /** Ends the stream with a chunk of usage; all others then carry `usage: null`. */
  readonly includeUsage: boolean;
  readonly namesServiceTier: boolean;
  readonly logprobs: boolean;
}

export interface ChunkBuilder {
  /** The chunk that opens the answer. */
  start(): ChatCompletionChunk;
  /** The chunks of one event, often none. */
  chunksOf(event: GenerationEvent): ChatCompletionChunk[];
}

/** An id that no other answer has. */
export function newCompletionId(): string {
  return `chatcmpl-${crypto.randomUUID().replaceAll("-", "")}`;
}

export function createChunkBuilder(head: ChunkHead): ChunkBuilder {
  const chunk = (choices: ChatCompletionChunk["choices"], usage: CompletionUsage | null): ChatCompletionChunk => ({
    id: head.id,
    object: "chat.completion.chunk",
    created: head.created,
    model: head.model,
    system_fingerprint: head.fingerprint,
    ...(head.namesServiceTier && { service_tier: "default" }),
    choices,
    ...(head.includeUsage && { usage }),
  });
  const choice = (
    delta: ChatCompletionDelta,
    logprobs: ChatCompletionLogprobs | null,
    finish: FinishReason | null = null,
  ) => chunk([{ index: 0, delta, logprobs, finish_reason: finish }], null);

  return {
    start() {
      const logprobs = head.logprobs ? { content: [], refusal: null } : null;
      return choice({ role: "assistant", content: "", refusal: null }, logprobs);
    },
    chunksOf(event) {
      switch (event.type) {
        case "token":
          return [];
        case "text":
          return [
            choice({ content: event.text }, head.logprobs ? { content: [...event.entries], refusal: null } : null),
          ];
        case "finish": {
          const finish = choice({}, null, event.reason);
          return head.includeUsage ? [finish, chunk([], usageOf(head, event.completionTokens))] : [finish];
        }
        default:
          return event satisfies never;
      }
    },
  };
}

/** Adds up the chunks of one answer, made with `includeUsage`. */
export function foldChunks(chunks: Iterable<ChatCompletionChunk>): ChatCompletion {
  let head: ChatCompletionChunk | undefined;
  let usage: CompletionUsage | undefined;
  let finish: FinishReason | undefined;
  let logprobs: ChatCompletionLogprobs | null = null;
  let content = "";
  for (const chunk of chunks) {
    head ??= chunk;
    usage = chunk.usage ?? usage;
    for (const choice of chunk.choices) {
      content += choice.delta.content ?? "";
      finish = choice.finish_reason ?? finish;
      if (choice.logprobs?.content) {
        logprobs ??= { content: [], refusal: null };
        logprobs.content?.push(...choice.logprobs.content);
      }
    }
  }
  invariant(head && usage && finish, "an answer needs a first chunk, a finish reason and usage");
  return {
    id: head.id,
    object: "chat.completion",
    created: head.created,
    model: head.model,
    system_fingerprint: head.system_fingerprint,
    ...(head.service_tier && { service_tier: head.service_tier }),
    choices: [
      {
        index: 0,
        message: { role: "assistant", content, refusal: null, annotations: [] },
        logprobs,
        finish_reason: finish,
      },
    ],
    usage,
  };
}

function usageOf({ promptTokens, cachedTokens }: ChunkHead, completionTokens: number): CompletionUsage {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens, audio_tokens: 0 },
    completion_tokens_details: {
      reasoning_tokens: 0,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  };
}
