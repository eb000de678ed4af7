// What an entry in the table of traps holds, and how its tests ask the engine.
import { expect } from "vitest";
import type { ChatCompletion, ChatCompletionChunk, ChatCompletionCreateParamsBase } from "../../src/api/types.ts";
import { isEngineError, type OpenAIErrorBody } from "../../src/base/errors.ts";
import type { Engine, EngineOptions } from "../../src/engine/engine.ts";
import { modelAtHand } from "../../src/engine/model-opener.ts";
import { memorySource } from "../../src/storage/byte-source.ts";
import { openScripted, type Script } from "../engine/scripted-runtime.ts";
import { type WriterValue, writeGguf } from "../fixtures/gguf-writer.ts";
import { tinyModelParts } from "../fixtures/tiny-models.ts";

/** What is still to come; until then it is refused by name (PENDING). */
export type Feature = "tools" | "json" | "storage" | "reasoning";

/** A fault that servers have been seen to have. It has tests here, or waits for a feature, or is about HTTP; perhaps all. */
export interface Trap {
  /** What must not happen. */
  readonly name: string;
  /** By what each claims. */
  readonly tests?: Readonly<Record<string, () => Promise<void> | void>>;
  readonly pending?: Feature;
  /** A part of it is about HTTP: the conformance suite has a test of this number as well. */
  readonly http?: true;
}

/** By the numbers of the contract's section 7. */
export type Traps = Readonly<Record<number, Trap>>;

export type Params = Partial<ChatCompletionCreateParamsBase>;

export const BASE = { model: "tiny", messages: [{ role: "user" as const, content: "Hi" }], temperature: 0 };

export async function plain(script: Script, params: Params = {}): Promise<ChatCompletion> {
  const { engine } = await openScripted(script);
  return ask(engine, params);
}

export async function stream(script: Script, params: Params = {}): Promise<ChatCompletionChunk[]> {
  const { engine } = await openScripted(script);
  return read(engine, params);
}

export function ask(engine: Engine, params: Params = {}): Promise<ChatCompletion> {
  return engine.chat.completions.create({ ...BASE, ...params, stream: false });
}

export async function read(engine: Engine, params: Params = {}): Promise<ChatCompletionChunk[]> {
  const chunks: ChatCompletionChunk[] = [];
  for await (const chunk of await engine.chat.completions.create({ ...BASE, ...params, stream: true }))
    chunks.push(chunk);
  return chunks;
}

export function textOf(chunks: readonly ChatCompletionChunk[], index = 0): string {
  const own = chunks.flatMap(({ choices }) => choices).filter((choice) => choice.index === index);
  return own.map(({ delta }) => delta.content ?? "").join("");
}

/** An engine whose model file has further metadata. */
export async function openWithMetadata(metadata: Readonly<Record<string, WriterValue>>, script: Script = {}) {
  const parts = tinyModelParts({ tokenizer: true, layerCount: 1, contextLength: 256 });
  const bytes = writeGguf({ ...parts, metadata: { ...parts.metadata, ...metadata } });
  const options: Partial<EngineOptions> = { openModel: modelAtHand({ files: [memorySource(bytes)] }) };
  return openScripted(script, options);
}

/** The refusal of a request, in OpenAI's form, with its HTTP status. */
export async function refusal(call: Promise<unknown>): Promise<OpenAIErrorBody & { readonly status: number }> {
  const error = await call.then(
    () => "accepted",
    (reason: unknown) => reason,
  );
  if (!isEngineError(error)) throw new Error(`not refused: ${String(error)}`);
  return { ...error.toOpenAI(), status: error.status };
}

const TOOLS = [{ type: "function" as const, function: { name: "f" } }];

/** Requests for what is still to come, with the field that the refusal names. */
const PENDING: Readonly<Record<Feature, readonly (readonly [params: Params, param: string])[]>> = {
  tools: [
    [{ tools: TOOLS }, "tools"],
    [{ tools: TOOLS, tool_choice: "required", stream: true }, "tools"],
    [{ tool_choice: { type: "function", function: { name: "f" } } }, "tool_choice"],
    [{ tool_choice: "none" }, "tool_choice"],
    [{ parallel_tool_calls: false }, "parallel_tool_calls"],
    [{ functions: [{ name: "f" }] }, "functions"],
    [{ function_call: "auto" }, "function_call"],
  ],
  json: [
    [{ response_format: { type: "json_object" } }, "response_format"],
    [{ response_format: { type: "json_schema", json_schema: { name: "s", schema: {} } } }, "response_format"],
  ],
  storage: [[{ store: true }, "store"]],
  reasoning: [[{ reasoning_effort: "high" }, "reasoning_effort"]],
};

/** Fails when the feature is no longer refused: then its traps need tests. */
export async function expectRefused(feature: Feature): Promise<void> {
  const { engine } = await openScripted();
  for (const [params, param] of PENDING[feature])
    expect(await refusal(ask(engine, params)), JSON.stringify(params)).toMatchObject({ status: 400, param });
}
