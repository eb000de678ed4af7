// What is wrong with an answer, judged by its request and nothing else: a small judge of our own beside OpenAI's schema.
import type { ChatCompletion, ChatCompletionChoice, ChatCompletionChunk } from "../../src/api/types.ts";

/** The fields that say how an answer has to look, of a request that was accepted. */
export interface Asked {
  readonly model: string;
  readonly n?: number | null;
  readonly stop?: string | readonly string[] | null;
  readonly max_tokens?: number | null;
  readonly max_completion_tokens?: number | null;
  readonly logprobs?: boolean | null;
  readonly top_logprobs?: number | null;
  readonly service_tier?: string | null;
  readonly return_token_ids?: boolean | null;
  readonly prompt_logprobs?: number | null;
  readonly prediction?: object | null;
  readonly stream_options?: { readonly include_usage?: boolean | null } | null;
}

/** Which tier serves each of the names; none is named unless one was asked for. */
const TIER_OF: Readonly<Record<string, string | undefined>> = {
  auto: "default",
  default: "default",
  scale: "default",
  flex: "flex",
  priority: "priority",
  fast: "priority",
};

/** An answer without its usage: what a stream that was not asked for it adds up to. */
export type Answer = Omit<ChatCompletion, "usage"> & { readonly usage?: ChatCompletion["usage"] };

export function answerFaults(answer: Answer, asked: Asked): string[] {
  const faults: string[] = [];
  const expect = (right: boolean, fault: string) => {
    if (!right) faults.push(fault);
  };
  const count = asked.n ?? 1;
  expect(/^chatcmpl-[0-9A-Za-z]{29}$/.test(answer.id), `id ${answer.id}`);
  expect(answer.object === "chat.completion", `object ${answer.object}`);
  expect(Number.isInteger(answer.created) && answer.created < 1e11, `created ${answer.created} is not in seconds`);
  expect(answer.model === asked.model, `model ${answer.model}`);
  expect(answer.service_tier === TIER_OF[asked.service_tier ?? "none"], `service_tier ${answer.service_tier}`);
  expect((answer.prompt_token_ids !== undefined) === (asked.return_token_ids ?? false), "prompt_token_ids");
  expect(
    (answer.prompt_logprobs !== undefined) === ((asked.prompt_logprobs ?? undefined) !== undefined),
    "prompt_logprobs",
  );
  expect(answer.choices.length === count, `${answer.choices.length} choices of ${count}`);
  answer.choices.forEach((choice, index) => {
    expect(choice.index === index, `choice ${index} has the index ${choice.index}`);
    faults.push(...choiceFaults(choice, asked).map((fault) => `choice ${index}: ${fault}`));
  });
  if (answer.usage) faults.push(...usageFaults(answer, answer.usage, asked));
  faults.push(...numberFaults(answer, "answer"));
  return faults;
}

function choiceFaults(choice: ChatCompletionChoice, asked: Asked): string[] {
  const faults: string[] = [];
  const { message, logprobs, finish_reason, token_ids } = choice;
  const stops = [asked.stop ?? []].flat();
  if (finish_reason !== "stop" && finish_reason !== "length") faults.push(`finish_reason ${finish_reason}`);
  if (Object.keys(message).sort().join() !== "annotations,content,refusal,role") faults.push("keys of the message");
  if (typeof message.content !== "string" || message.refusal !== null) return [...faults, "content or refusal"];
  const content = message.content;
  for (const stop of stops)
    if (content.includes(stop)) faults.push(`the stop string ${JSON.stringify(stop)} is in the text`);
  if (asked.return_token_ids ? !token_ids?.length : token_ids) faults.push("token_ids");
  if (!asked.logprobs) return logprobs === null ? faults : [...faults, "logprobs that nobody asked for"];
  if (logprobs?.refusal !== null || !logprobs.content) return [...faults, "logprobs"];
  const bytes = logprobs.content.flatMap((entry) => entry.bytes ?? []);
  const joined = new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.from(bytes));
  if (joined !== content)
    faults.push(`bytes join to ${JSON.stringify(joined)}, the text is ${JSON.stringify(content)}`);
  for (const { logprob, top_logprobs } of logprobs.content) {
    const values = top_logprobs.map((top) => top.logprob);
    if (logprob > 0 || values.length > (asked.top_logprobs ?? 0)) faults.push("logprob or top_logprobs out of range");
    if (values.some((value, place) => place > 0 && value > values[place - 1]!))
      faults.push("top_logprobs are not in order");
  }
  return faults;
}

function usageFaults(answer: Answer, usage: ChatCompletion["usage"], asked: Asked): string[] {
  const faults: string[] = [];
  const { prompt_tokens, total_tokens, prompt_tokens_details, completion_tokens_details } = usage;
  if (total_tokens !== prompt_tokens + usage.completion_tokens) faults.push("total_tokens is not the sum");
  const { accepted_prediction_tokens: accepted, rejected_prediction_tokens: rejected } = completion_tokens_details;
  // Rejected tokens count, but are no part of an answer.
  const completion_tokens = usage.completion_tokens - rejected;
  if (!asked.prediction && accepted + rejected > 0) faults.push("tokens of a prediction that there was not");
  if (accepted > completion_tokens) faults.push("more tokens of the prediction in the answer than it has");
  if (prompt_tokens < 1 || prompt_tokens_details.cached_tokens > prompt_tokens) faults.push("prompt_tokens");
  const limit = asked.max_completion_tokens ?? asked.max_tokens;
  if (limit && completion_tokens > limit * answer.choices.length)
    faults.push(`${completion_tokens} tokens, limit ${limit}`);
  if (answer.prompt_token_ids && answer.prompt_token_ids.length !== prompt_tokens) faults.push("prompt_token_ids");
  if (answer.prompt_logprobs && answer.prompt_logprobs.length !== prompt_tokens)
    faults.push("length of prompt_logprobs");
  const sampled = answer.choices.reduce((sum, { token_ids }) => sum + (token_ids?.length ?? 0), 0);
  const most = completion_tokens + answer.choices.length; // the token that ends an answer is no part of it
  if (asked.return_token_ids && (sampled < completion_tokens || sampled > most)) faults.push("number of token_ids");
  return faults;
}

/** JSON has no word for a number that is not finite. */
function numberFaults(value: unknown, path: string): string[] {
  if (typeof value === "number") return Number.isFinite(value) ? [] : [`${path} is ${value}`];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, entry]) => numberFaults(entry, `${path}.${key}`));
}

/** What is wrong with the form of a stream; its content is judged as the answer that it adds up to (addedUp). */
export function streamFaults(chunks: readonly ChatCompletionChunk[], asked: Asked): string[] {
  const faults: string[] = [];
  const usage = asked.stream_options?.include_usage ?? false;
  const last = usage ? chunks.at(-1) : undefined;
  const state = new Map<number, "open" | "finished">();
  if (new Set(chunks.map(({ id, created, model }) => `${id} ${created} ${model}`)).size !== 1)
    faults.push("heads differ");
  if (usage && (last?.choices.length !== 0 || !last.usage)) faults.push("no usage at the end");
  for (const chunk of chunks) {
    if (chunk.object !== "chat.completion.chunk") faults.push(`object ${chunk.object}`);
    if (chunk !== last && chunk.usage !== (usage ? null : undefined)) faults.push("usage before the end");
    if (chunk !== last && chunk.choices.length !== 1) faults.push(`${chunk.choices.length} choices in a chunk`);
    for (const { index, delta, finish_reason } of chunk.choices) {
      const opening = delta.role !== undefined;
      if (opening !== !state.has(index)) faults.push(`choice ${index} is not opened first, or twice`);
      if (state.get(index) === "finished") faults.push(`choice ${index} goes on after its end`);
      if (finish_reason && Object.keys(delta).length > 0) faults.push(`choice ${index} ends with a delta`);
      state.set(index, finish_reason ? "finished" : "open");
    }
  }
  for (const [index, end] of state) if (end !== "finished") faults.push(`choice ${index} has no end`);
  return faults;
}

/** The answer that the chunks make, put together without the engine's own fold. */
export function addedUp(chunks: readonly ChatCompletionChunk[]): Answer {
  const { object, choices: _, usage: __, ...head } = chunks[0]!;
  const parts = chunks.flatMap(({ choices }) => choices);
  const count = new Set(parts.map(({ index }) => index)).size;
  const choices = Array.from({ length: count }, (_, index): ChatCompletionChoice => {
    const own = parts.filter((part) => part.index === index);
    const entries = own.flatMap(({ logprobs }) => logprobs?.content ?? []);
    const ids = own.flatMap(({ token_ids }) => token_ids ?? []);
    return {
      index,
      message: {
        role: "assistant",
        content: own.map(({ delta }) => delta.content ?? "").join(""),
        refusal: null,
        annotations: [],
      },
      logprobs: own.some(({ logprobs }) => logprobs !== null) ? { content: entries, refusal: null } : null,
      finish_reason: own.at(-1)?.finish_reason as ChatCompletionChoice["finish_reason"],
      ...(ids.length > 0 && { token_ids: ids }),
    };
  });
  const usage = chunks.at(-1)?.usage;
  return { ...head, object: "chat.completion", choices, ...(usage && { usage }) };
}
