// A loaded model: its files read once, its runtime on the engine's device, its language side. Lost with the device, then
// loaded anew.

import { EngineError } from "../base/errors.ts";
import { type ChatTemplate, createTemplate } from "../chat/template.ts";
import { readModel } from "../gguf/model-file.ts";
import { DEFAULT_KV_CACHE, type KvCacheType } from "../kernels/kv-format.ts";
import { DEFAULT_PRECISION, type Precision } from "../kernels/precision.ts";
import { specOf } from "../model/architectures/index.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { createTokenizer, type Tokenizer } from "../tokenizer/tokenizer.ts";
import type { MemoryShare } from "./memory-budget.ts";
import { type ModelInfo, modelInfo } from "./model-info.ts";
import type { OpenModel } from "./model-opener.ts";
import { createProgress, type ProgressEvent } from "./progress.ts";
import type { RuntimeHost, TuneOption } from "./runtime-host.ts";
import type { Scheduler } from "./scheduler.ts";

export interface SessionOptions {
  readonly openModel: OpenModel;
  /** What requests call the model; default: the file's name, without its ending. */
  readonly id?: string;
  /** Tokens that prompt and answer may have together; default: what the model was trained for, if the memory budget allows. */
  readonly contextLength?: number;
  /** How keys and values are kept: q8_0 takes about half of the memory, and rounds more. Default: f16. */
  readonly kvCache?: KvCacheType;
  /** `fast`: activations may be rounded to bytes where that makes kernels faster. Default: exact. */
  readonly precision?: Precision;
  /** Whether to measure which kernels are fastest here; default "auto". */
  readonly tune?: TuneOption;
  readonly onProgress?: (event: ProgressEvent) => void;
}

/** What a model has of its engine. */
export interface EngineParts {
  readonly host: RuntimeHost;
  /** Its owner gives it back. */
  readonly share: MemoryShare;
  readonly scheduler: Scheduler;
  /** What one user's prompts have computed is not for others: told apart by `safety_identifier`, or `user`. */
  readonly isolateUsers: boolean;
}

export interface Session {
  readonly info: ModelInfo;
  readonly tokenizer: Tokenizer;
  readonly template: ChatTemplate;
  readonly runtime: Runtime;
  readonly scheduler: Scheduler;
  /** What one user's prompts have computed is not for others. */
  readonly isolateUsers: boolean;
  /** Frees it, after its requests have ended. */
  dispose(): void;
}

/**
 * The header first, then the memory, then the weights: what cannot run is refused before it is downloaded.
 * @throws EngineError of every kind that loading can meet; nothing stays allocated
 */
export async function openSession(
  options: SessionOptions,
  { host, share, scheduler, isolateUsers }: EngineParts,
  signal: AbortSignal,
): Promise<Session> {
  const report = createProgress(options.onProgress);
  const cleanUp: (() => void)[] = [];
  try {
    const model = await options.openModel(({ phase, bytes, total }) => report(phase, bytes, total), signal);
    cleanUp.unshift(() => model.close());
    const gguf = await readModel(model.source, signal);
    const spec = specOf(gguf);
    const tokenizer = createTokenizer(gguf.metadata);
    requireSameVocabulary(tokenizer.vocabSize, spec.vocabSize);
    const template = templateOf(gguf.metadata.string("tokenizer.chat_template"), tokenizer);
    const { contextLength, kvCache = DEFAULT_KV_CACHE, precision = DEFAULT_PRECISION } = options;
    const availableBytes = share.availableBytes(contextLength);
    const plan = host.plan(spec, { contextLength, kvCache, availableBytes });
    share.take(plan.bytes);
    model.startBody();
    const runtime = await plan.create({
      gguf,
      precision,
      tune: options.tune ?? "auto",
      onProgress: ({ phase, bytes, total }) => report(phase, bytes, total),
      signal,
    });
    cleanUp.unshift(() => runtime.dispose());
    const notes = await model.finish(signal);
    const identity = await model.identity();
    const info = await modelInfo({
      id: options.id,
      gguf,
      tokenizer,
      template,
      runtime,
      kvCache,
      precision,
      memoryBytes: plan.bytes,
      host,
      identity,
      notes,
    });
    model.close();
    report("ready", info.fileBytes, info.fileBytes);
    return {
      info,
      tokenizer,
      template,
      runtime,
      scheduler,
      isolateUsers,
      dispose: () => runtime.dispose(),
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
