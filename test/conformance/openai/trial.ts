// One check on its way: it asks, and everything that it is answered is kept, to be judged by OpenAI's schema afterwards.

import type {
  ChatCompletion,
  ChatCompletionChunk,
  ChatCompletionCreateParams,
  ChatCompletionCreateParamsBase,
  RequestOptions,
} from "../../../src/api/types.ts";
import type { ControlledStream } from "../../../src/base/controlled-stream.ts";
import { claim, rejection, until } from "./claims.ts";
import type { Way } from "./way.ts";

/** Something that came back, and which of OpenAI's definitions it has to follow. */
export interface Seen {
  readonly definition:
    | "CreateChatCompletionResponse"
    | "CreateChatCompletionStreamResponse"
    | "ErrorResponse"
    | "ListModelsResponse"
    | "Model";
  readonly value: unknown;
}

export interface Trial<W extends Way> {
  readonly way: W;
  see<T>(definition: Seen["definition"], value: T): T;
  /** The whole request that `fields` are part of. */
  ask(fields?: Fields): ChatCompletionCreateParamsBase;
  answer(fields?: Fields, options?: RequestOptions): Promise<ChatCompletion>;
  open(fields?: Fields, options?: RequestOptions): Promise<ControlledStream<ChatCompletionChunk>>;
  chunks(fields?: Fields): Promise<ChatCompletionChunk[]>;
  /** Runs `work`, and says how the one request that it made has ended. */
  endOf(work: () => Promise<unknown>): Promise<string>;
}

/** A claim about every way of a kind. */
export interface Check<W extends Way> {
  readonly claim: string;
  /** Which of the contract's traps (the table of traps.test.ts) it keeps the HTTP side out of. */
  readonly trap?: number;
  run(trial: Trial<W>): Promise<void>;
}

/** Fields of a request, also such as it should not have, and values that they should not. */
export type Fields = { readonly [Name in keyof ChatCompletionCreateParamsBase]?: unknown } & Record<string, unknown>;

/** An answer to it goes on until there is no room, and that is longer than any check waits. */
export const ENDLESS: Fields = { max_tokens: null };

/** A plain answer that there is time to leave. It has an end for ways on which nobody hears of that. */
export const LONG: Fields = { max_tokens: 600 };

/** Short answers, the same each time: what a check wants otherwise, it says. */
const BASE = { messages: [{ role: "user" as const, content: "Hi" }], max_tokens: 8, temperature: 0 };

/** @returns what was seen. @throws what the check finds wrong */
export async function runCheck<W extends Way>(check: Check<W>, way: W): Promise<Seen[]> {
  const seen: Seen[] = [];
  await check.run(createTrial(way, seen));
  return seen;
}

function createTrial<W extends Way>(way: W, seen: Seen[]): Trial<W> {
  const see: Trial<W>["see"] = (definition, value) => {
    seen.push({ definition, value });
    return value;
  };
  const ask = (fields: Fields = {}) => ({ ...BASE, model: way.model, ...fields }) as ChatCompletionCreateParamsBase;
  const create = (params: ChatCompletionCreateParamsBase, options: RequestOptions | undefined) =>
    way.door.chat.completions.create(params as ChatCompletionCreateParams, options);
  const trial: Trial<W> = {
    way,
    see,
    ask,
    async answer(fields, options) {
      return see("CreateChatCompletionResponse", (await create(ask(fields), options)) as ChatCompletion);
    },
    async open(fields, options) {
      return (await create({ ...ask(fields), stream: true }, options)) as ControlledStream<ChatCompletionChunk>;
    },
    async chunks(fields) {
      const chunks: ChatCompletionChunk[] = [];
      for await (const chunk of await trial.open(fields)) chunks.push(see("CreateChatCompletionStreamResponse", chunk));
      return chunks;
    },
    async endOf(work) {
      await way.allTold?.();
      const before = way.ends.length;
      await work();
      await until(() => way.ends.length > before);
      claim(way.ends.length === before + 1, `${way.ends.length - before} requests were made in place of one`);
      return way.ends[before]!;
    },
  };
  return trial;
}

/** A refusal as the wire has it, whether an engine threw it or a client. */
export interface Refusal {
  readonly status: unknown;
  readonly type: unknown;
  readonly param: unknown;
  readonly code: unknown;
}

export async function refusalOf(call: PromiseLike<unknown>, { see }: Trial<Way>): Promise<Refusal> {
  const error = await rejection(call);
  const toOpenAI = error["toOpenAI"] as (() => object) | undefined;
  const body = toOpenAI?.call(error) ?? (error["error"] as object);
  claim(typeof body === "object" && body !== null, `not a refusal: ${error}`);
  see("ErrorResponse", { error: body });
  const { type, param, code } = body as Omit<Refusal, "status">;
  return { status: error["status"], type, param, code };
}
