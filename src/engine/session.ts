// A loaded model: its files read once, its runtime on a device, its language side. Lost with the device, then loaded anew.

import { EngineError } from "../base/errors.ts";
import { type ChatTemplate, createTemplate } from "../chat/template.ts";
import { readModel } from "../gguf/model-file.ts";
import { specOf } from "../model/architectures/index.ts";
import { createTokenizer, type Tokenizer } from "../tokenizer/tokenizer.ts";
import { type ModelInfo, modelInfo } from "./model-info.ts";
import type { OpenModel } from "./model-opener.ts";
import { createProgress, type ProgressEvent } from "./progress.ts";
import type { OpenRuntimeHost } from "./runtime-host.ts";
import { createScheduler, type Scheduler, type Stall } from "./scheduler.ts";

export interface SessionOptions {
  readonly openModel: OpenModel;
  readonly openHost: OpenRuntimeHost;
  readonly modelId?: string;
  readonly contextLength?: number;
  readonly onProgress?: (event: ProgressEvent) => void;
  readonly onStall?: (stall: Stall) => void;
}

export interface Session {
  readonly info: ModelInfo;
  readonly tokenizer: Tokenizer;
  readonly template: ChatTemplate;
  readonly scheduler: Scheduler;
  readonly lost: Promise<EngineError>;
  dispose(): void;
}

/**
 * Device first, then the header, then the weights: what cannot run is refused before it is downloaded.
 * @throws EngineError of every kind that loading can meet; nothing stays allocated
 */
export async function openSession(options: SessionOptions, signal: AbortSignal): Promise<Session> {
  const report = createProgress(options.onProgress);
  const host = await options.openHost();
  const cleanUp: (() => void)[] = [() => host.dispose()];
  try {
    const model = await options.openModel(({ phase, bytes, total }) => report(phase, bytes, total), signal);
    cleanUp.unshift(() => model.close());
    const gguf = await readModel(model.source, signal);
    const spec = specOf(gguf);
    const tokenizer = createTokenizer(gguf.metadata);
    requireSameVocabulary(tokenizer.vocabSize, spec.vocabSize);
    const template = templateOf(gguf.metadata.string("tokenizer.chat_template"), tokenizer);
    model.startBody();
    const runtime = await host.createRuntime({
      gguf,
      spec,
      ...(options.contextLength !== undefined && { contextLength: options.contextLength }),
      onProgress: ({ phase, bytes, total }) => report(phase, bytes, total),
      signal,
    });
    cleanUp.unshift(() => runtime.dispose());
    const notes = await model.finish(signal);
    const identity = await model.identity();
    const info = await modelInfo({ id: options.modelId, gguf, tokenizer, template, runtime, host, identity, notes });
    model.close();
    report("ready", info.fileBytes, info.fileBytes);
    return {
      info,
      tokenizer,
      template,
      scheduler: createScheduler(runtime, options.onStall),
      lost: runtime.lost,
      dispose() {
        runtime.dispose();
        host.dispose();
      },
    };
  } catch (error) {
    for (const undo of cleanUp) undo();
    throw error;
  }
}

function templateOf(source: string | undefined, tokenizer: Tokenizer): ChatTemplate {
  const { bosId, eosId, controlPieces } = tokenizer;
  return createTemplate({
    ...(source !== undefined && { source }),
    bosText: bosId === undefined ? "" : tokenizer.label(bosId),
    eosText: eosId === undefined ? "" : tokenizer.label(eosId),
    controlPieces,
  });
}

/** A token that only one side knows would be a piece of text that nobody can produce, or an id that nobody can read. */
function requireSameVocabulary(tokens: number, rows: number): void {
  if (tokens === rows) return;
  throw new EngineError(
    "model_malformed",
    `The tokenizer has ${tokens} tokens and the embedding ${rows} rows: the file mixes two models.`,
    { details: { offset: 0, rule: "vocabulary-size" } },
  );
}
