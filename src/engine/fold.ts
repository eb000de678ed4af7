// The fold of a stream's chunks into a chat.completion: the plain answer is the streamed one, added up.
import type {
  ChatCompletion,
  ChatCompletionChoice,
  ChatCompletionChunk,
  ChatCompletionChunkChoice,
} from "../api/types.ts";
import { invariant } from "../base/invariant.ts";

/** Adds up the chunks of one request, made with `includeUsage`. */
export function foldChunks(chunks: Iterable<ChatCompletionChunk>): ChatCompletion {
  let head: ChatCompletionChunk | undefined;
  let usage: ChatCompletion["usage"] | undefined;
  const choices: Partial<ChatCompletionChoice>[] = [];
  for (const chunk of chunks) {
    head ??= chunk;
    usage = chunk.usage ?? usage;
    for (const choice of chunk.choices) addChoice(choices, choice);
  }
  invariant(head && usage, "an answer needs a first chunk and usage");
  const { id, created, model, system_fingerprint, service_tier, prompt_token_ids, prompt_logprobs } = head;
  return {
    id,
    object: "chat.completion",
    created,
    model,
    system_fingerprint,
    ...(service_tier && { service_tier }),
    choices: choices.map(finished),
    usage,
    ...(prompt_token_ids && { prompt_token_ids }),
    ...(prompt_logprobs && { prompt_logprobs }),
  };
}

function addChoice(choices: Partial<ChatCompletionChoice>[], part: ChatCompletionChunkChoice): void {
  const { index, delta, logprobs, finish_reason, token_ids } = part;
  choices[index] ??= {
    index,
    message: { role: "assistant", content: "", refusal: null, annotations: [] },
    logprobs: null,
  };
  const choice = choices[index];
  const message = choice.message!;
  message.content = (message.content ?? "") + (delta.content ?? "");
  if (logprobs?.content) {
    choice.logprobs ??= { content: [], refusal: null };
    choice.logprobs.content!.push(...logprobs.content);
  }
  if (token_ids) choice.token_ids = [...(choice.token_ids ?? []), ...token_ids];
  if (finish_reason) choice.finish_reason = finish_reason;
}

function finished(choice: Partial<ChatCompletionChoice>): ChatCompletionChoice {
  invariant(choice.finish_reason, `choice ${choice.index} has no finish reason`);
  return choice as ChatCompletionChoice;
}
