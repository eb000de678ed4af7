// An engine whose every answer and chunk is held against OpenAI's schema before a test sees it.
import type { ChatCompletion, ChatCompletionChunk, ChatCompletions } from "../../src/api/types.ts";
import type { ControlledStream } from "../../src/base/controlled-stream.ts";
import type { Engine } from "../../src/engine/engine.ts";
import { openAIFaults } from "../api/openai-schema.ts";

const completionFaults = openAIFaults("CreateChatCompletionResponse");
const chunkFaults = openAIFaults("CreateChatCompletionStreamResponse");

export function judged<E extends Pick<Engine, "chat">>(engine: E): E {
  const { completions } = engine.chat;
  const create = (async (...[params, options]: Parameters<ChatCompletions["create"]>) => {
    const answer: ChatCompletion | ControlledStream<ChatCompletionChunk> = await completions.create(params, options);
    if (!("controller" in answer)) return passed(answer, completionFaults);
    return { controller: answer.controller, [Symbol.asyncIterator]: () => judgedIterator(answer) };
  }) as ChatCompletions["create"];
  return Object.defineProperty(engine, "chat", { value: { completions: { create } } });
}

function judgedIterator(stream: ControlledStream<ChatCompletionChunk>): AsyncIterableIterator<ChatCompletionChunk> {
  const inner = stream[Symbol.asyncIterator]();
  const iterator: AsyncIterableIterator<ChatCompletionChunk> = {
    next: () =>
      inner.next().then((result) => (result.done ? result : { ...result, value: passed(result.value, chunkFaults) })),
    return: () => inner.return!(),
    [Symbol.asyncIterator]: () => iterator,
  };
  return iterator;
}

function passed<T>(value: T, faultsOf: (value: unknown) => string[]): T {
  const faults = faultsOf(value);
  if (faults.length > 0) throw new Error(`Not as OpenAI's schema has it: ${faults.join("; ")}`);
  return value;
}
