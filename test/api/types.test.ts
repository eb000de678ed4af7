// Code written for the `openai` package compiles against ours, and the other way round: proved by the compiler.
import type OpenAI from "openai";
import { expectTypeOf, test } from "vitest";
import type * as ours from "../../src/api/types.ts";

type Theirs = OpenAI.Chat.Completions.ChatCompletionCreateParams;

test("what the openai package sends is a request of ours", () => {
  expectTypeOf<Theirs>().toExtend<ours.ChatCompletionCreateParams>();
  expectTypeOf<OpenAI.Chat.Completions.ChatCompletionCreateParamsNonStreaming>().toExtend<ours.ChatCompletionCreateParamsNonStreaming>();
  expectTypeOf<OpenAI.Chat.Completions.ChatCompletionCreateParamsStreaming>().toExtend<ours.ChatCompletionCreateParamsStreaming>();
  expectTypeOf<keyof Theirs>().toExtend<keyof ours.ChatCompletionCreateParams>();
});

test("our answers are answers of the openai package", () => {
  expectTypeOf<ours.ChatCompletion>().toExtend<OpenAI.Chat.Completions.ChatCompletion>();
  expectTypeOf<ours.ChatCompletionChunk>().toExtend<OpenAI.Chat.Completions.ChatCompletionChunk>();
  expectTypeOf<ours.Model>().toExtend<OpenAI.Models.Model>();
});

test("an answer can be sent back as it came, ours and theirs", () => {
  expectTypeOf<ours.ChatCompletionMessage>().toExtend<ours.ChatCompletionMessageParam>();
  expectTypeOf<OpenAI.Chat.Completions.ChatCompletionMessage>().toExtend<ours.ChatCompletionMessageParam>();
  expectTypeOf<ours.ChatCompletionMessage>().toExtend<OpenAI.Chat.Completions.ChatCompletionMessageParam>();
});

test("extensions stand beside OpenAI's fields, and typing errors are told", () => {
  const request = { model: "m", messages: [{ role: "user" as const, content: "Hi" }] };
  expectTypeOf({
    ...request,
    seed: "9223372036854775807",
    dry_multiplier: 0.8,
  }).toExtend<ours.ChatCompletionCreateParams>();
  expectTypeOf({ ...request, temperature: "hot" }).not.toExtend<ours.ChatCompletionCreateParams>();
  expectTypeOf({ ...request, response_format: "json_object" }).not.toExtend<ours.ChatCompletionCreateParams>();
});
