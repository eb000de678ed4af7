// The demo with an engine that answers every request with given chunks: what a model would say, said at will.
import type { App } from "../../../demo/app.ts";
import { startPage } from "../../../demo/page.ts";
import type { ChatCompletionChunk, Engine, ModelInfo } from "../../../src/index.ts";

/** One chunk of `choice`, made of tokens with their probability and alternatives. */
export interface ScriptedPiece {
  readonly choice: number;
  readonly content: string;
  readonly tokens?: readonly ScriptedToken[];
}

export interface ScriptedToken {
  /** Text, or bytes that are none. */
  readonly token: string | readonly number[];
  readonly probability: number;
  readonly alternatives?: readonly (readonly [token: string | readonly number[], probability: number])[];
}

/** Resolves when the answer to one message has ended. The app stays in `globalThis.scriptedApp`. */
export async function openScriptedDemo(pieces: readonly ScriptedPiece[], choices: number): Promise<void> {
  const app = startPage();
  Object.assign(globalThis, { scriptedApp: app, scriptedRequests: [] });
  app.state.model = {
    name: "ready",
    source: "scripted",
    model: new URL("/scripted.gguf", location.href),
    engine: engineOf(pieces, choices),
    info: INFO,
  };
  app.set("n", choices);
  app.set(
    "logprobs",
    pieces.some(({ tokens }) => tokens !== undefined),
  );
  await app.send("Tell me about Paris.");
}

declare global {
  var scriptedApp: App;
  var scriptedRequests: unknown[];
}

const INFO: ModelInfo = {
  id: "scripted",
  name: "Scripted",
  architecture: "llama",
  parameters: 135_000_000,
  fileBytes: 98_000_000,
  formats: { Q4_1: 210 },
  contextLength: 8192,
  kvCache: "f16",
  precision: "exact",
  memoryBytes: 0,
  vocabSize: 49_152,
  tokenizer: "gpt2",
  template: "model",
  warnings: [],
  adapter: "none",
  features: [],
  fingerprint: "fp_scripted",
  engineVersion: "0",
};

function engineOf(pieces: readonly ScriptedPiece[], choices: number): Engine {
  async function* stream(): AsyncGenerator<ChatCompletionChunk> {
    for (const [at, piece] of pieces.entries()) {
      if (at % 50 === 0) await new Promise((resolve) => requestAnimationFrame(resolve));
      yield chunkOf(piece.choice, piece);
    }
    for (let choice = 0; choice < choices; choice++) yield chunkOf(choice, undefined);
    yield {
      ...HEAD,
      choices: [],
      usage: { prompt_tokens: 14, completion_tokens: pieces.length } as ChatCompletionChunk["usage"] & {},
    };
  }
  const create = async (params: unknown) => {
    globalThis.scriptedRequests.push(params);
    return stream();
  };
  return { info: INFO, chat: { completions: { create } }, dispose: async () => {} } as unknown as Engine;
}

const HEAD = {
  id: "chatcmpl-scripted",
  object: "chat.completion.chunk",
  created: 1,
  model: "scripted",
  system_fingerprint: "fp",
} as const;

/** Without a piece: the end, cut at the limit for every second choice. */
function chunkOf(index: number, piece: ScriptedPiece | undefined): ChatCompletionChunk {
  const content = piece?.tokens?.map(({ token, probability, alternatives = [] }) => ({
    ...entryOf(token, probability),
    top_logprobs: [[token, probability] as const, ...alternatives]
      .map((each) => entryOf(...each))
      .sort((a, b) => b.logprob - a.logprob),
  }));
  return {
    ...HEAD,
    choices: [
      {
        index,
        delta: piece === undefined ? {} : { content: piece.content },
        logprobs: content === undefined ? null : { content, refusal: null },
        finish_reason: piece !== undefined ? null : index % 2 === 0 ? "stop" : "length",
      },
    ],
  };
}

function entryOf(token: string | readonly number[], probability: number) {
  const bytes = typeof token === "string" ? [...new TextEncoder().encode(token)] : [...token];
  return { token: typeof token === "string" ? token : "bytes", logprob: Math.log(probability), bytes };
}
