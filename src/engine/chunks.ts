// Events -> chat.completion.chunk, one choice a chunk, every choice with its own opening and finish.

import type { Tier } from "../api/request.ts";
import type {
  ChatCompletionChunk,
  ChatCompletionChunkChoice,
  ChatCompletionDelta,
  ChatCompletionLogprobs,
  CompletionUsage,
  PromptLogprobs,
} from "../api/types.ts";
import type { PredictionCounts } from "./draft.ts";
import type { GenerationEvent } from "./generate.ts";

export interface ChunkHead {
  readonly id: string;
  /** Unix time in seconds. */
  readonly created: number;
  readonly model: string;
  readonly fingerprint: string;
  readonly promptTokens: number;
  /** Ends the stream with a chunk of usage; all others then carry `usage: null`. */
  readonly includeUsage: boolean;
  /** The tier in use, where the request named one. */
  readonly serviceTier?: Tier;
  readonly logprobs: boolean;
  /** Adds the ids of the prompt to the first chunk, and those of the answers to theirs. */
  readonly tokenIds: boolean;
}

/** What the first chunk of a request says about its prompt, where that was asked for. */
export interface PromptReport {
  readonly ids: Int32Array;
  readonly logprobs?: PromptLogprobs;
}

export interface ChunkBuilder {
  /** Opens choice `index`; the first chunk of all also reports on the prompt. */
  open(index: number, prompt: PromptReport): ChatCompletionChunk;
  /** The chunk of one event of choice `index`, if it makes one. */
  chunkOf(index: number, event: GenerationEvent): ChatCompletionChunk | undefined;
  /** The chunk after all choices have finished, if the request asked for it. */
  usage(cachedTokens: number): ChatCompletionChunk | undefined;
}

const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const ID_LENGTH = 29;

/** An id that no other answer has. */
export function newCompletionId(): string {
  let text = "";
  while (text.length < ID_LENGTH) {
    // 248 = 4 · 62: bytes from there on would favour the alphabet's first letters.
    for (const byte of crypto.getRandomValues(new Uint8Array(ID_LENGTH))) {
      if (byte < 248 && text.length < ID_LENGTH) text += ALPHABET[byte % ALPHABET.length];
    }
  }
  return `chatcmpl-${text}`;
}

export function createChunkBuilder(head: ChunkHead): ChunkBuilder {
  let opened = false;
  const counts = { completionTokens: 0, accepted: 0, rejected: 0 };

  const chunk = (choices: ChatCompletionChunkChoice[], usage: CompletionUsage | null): ChatCompletionChunk => ({
    id: head.id,
    object: "chat.completion.chunk",
    created: head.created,
    model: head.model,
    system_fingerprint: head.fingerprint,
    ...(head.serviceTier && { service_tier: head.serviceTier }),
    choices,
    ...(head.includeUsage && { usage }),
  });
  const choice = (
    index: number,
    delta: ChatCompletionDelta,
    logprobs: ChatCompletionLogprobs | null,
    more: Pick<ChatCompletionChunkChoice, "finish_reason"> & { ids?: readonly number[] },
  ) => {
    const { ids = [], finish_reason } = more;
    const tokenIds = head.tokenIds && ids.length > 0 ? { token_ids: [...ids] } : {};
    return chunk([{ index, delta, logprobs, finish_reason, ...tokenIds }], null);
  };

  return {
    open(index, prompt) {
      const logprobs = head.logprobs ? { content: [], refusal: null } : null;
      const delta = { role: "assistant", content: "", refusal: null } as const;
      const opening = choice(index, delta, logprobs, { finish_reason: null });
      if (opened) return opening;
      opened = true;
      return {
        ...opening,
        ...(head.tokenIds && { prompt_token_ids: [...prompt.ids] }),
        ...(prompt.logprobs && { prompt_logprobs: prompt.logprobs }),
      };
    },
    chunkOf(index, event) {
      switch (event.type) {
        case "token":
          return undefined;
        case "text": {
          const logprobs = head.logprobs ? { content: [...event.entries], refusal: null } : null;
          return choice(index, { content: event.text }, logprobs, { finish_reason: null, ids: event.ids });
        }
        case "finish":
          counts.completionTokens += event.completionTokens;
          counts.accepted += event.prediction.accepted;
          counts.rejected += event.prediction.rejected;
          return choice(index, {}, null, { finish_reason: event.reason, ids: event.ids });
        default:
          return event satisfies never;
      }
    },
    usage: (cachedTokens) =>
      head.includeUsage ? chunk([], usageOf(head.promptTokens, cachedTokens, counts)) : undefined,
  };
}

/** Rejected tokens of a prediction were computed, and count as if they were part of the answer (OpenAI's guide). */
function usageOf(
  promptTokens: number,
  cachedTokens: number,
  { completionTokens, accepted, rejected }: PredictionCounts & { readonly completionTokens: number },
): CompletionUsage {
  const completion = completionTokens + rejected;
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completion,
    total_tokens: promptTokens + completion,
    prompt_tokens_details: { cached_tokens: cachedTokens, audio_tokens: 0 },
    completion_tokens_details: {
      reasoning_tokens: 0,
      audio_tokens: 0,
      accepted_prediction_tokens: accepted,
      rejected_prediction_tokens: rejected,
    },
  };
}
