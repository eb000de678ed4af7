// The engine in Node, without a worker: Dawn's GPU and files on disk. For the command line, the bench and tests.
import { existsSync } from "node:fs";
import { type Engine, type EngineOptions, openEngine } from "../src/engine/engine.ts";
import { gpuHost } from "../src/engine/gpu-host.ts";
import type { ModelInfo } from "../src/engine/model-info.ts";
import { modelAtHand } from "../src/engine/model-opener.ts";
import type { TuneOption } from "../src/engine/runtime-host.ts";
import type { SessionOptions } from "../src/engine/session.ts";
import type { KvCacheType } from "../src/kernels/kv-format.ts";
import type { Precision } from "../src/kernels/precision.ts";
import { createTuner } from "../src/runtime/tuning/tuner.ts";
import { CommandError } from "./command-error.ts";
import { dawnVersion, openDawn } from "./dawn.ts";
import { DEFAULT_MODEL_PATH } from "./default-model.ts";
import { openModelFiles } from "./model-files.ts";
import { fileTuningStore, TUNING_FILE } from "./tuning-file.ts";
import { yieldToAdapter } from "./yield-to-adapter.ts";

/** A model on this machine. */
export interface FileModel extends Omit<SessionOptions, "openModel"> {
  /** Path of a GGUF file, or of the first part of a split one. */
  readonly path: string;
  readonly signal?: AbortSignal;
}

export interface NodeEngineOptions
  extends Pick<EngineOptions, "memoryBudget" | "speculate" | "onStats" | "onStall" | "signal"> {
  /** In this order; default: the default model. */
  models?: readonly FileModel[] | undefined;
  /** Gets the facts about each of them as soon as it is loaded. */
  onLoad?: ((info: ModelInfo) => void) | undefined;
  /** How these models' keys and values are kept, unless a model says so itself; default: f16. */
  kvCache?: KvCacheType | undefined;
  /** Of every model that says nothing else; default: exact. */
  precision?: Precision | undefined;
  /** As `openDawn` takes it. */
  adapter?: string | undefined;
  /** Of every model that says nothing else. */
  tune?: TuneOption | undefined;
}

export type NodeEngine = Engine<FileModel>;

/** @throws CommandError when a model is missing, EngineError for everything that loading can meet */
export async function openNodeEngine({
  models,
  onLoad,
  kvCache,
  precision,
  adapter,
  tune = "auto",
  signal,
  ...options
}: NodeEngineOptions): Promise<NodeEngine> {
  if (models === undefined && !existsSync(DEFAULT_MODEL_PATH))
    throw new CommandError("the default model is not here; run npm run fetch-model, or name another with --model FILE");
  const named = models ?? [{ path: DEFAULT_MODEL_PATH }];
  for (const { path } of named) if (!existsSync(path)) throw new CommandError(`there is no file ${path}`);

  const dawn = await openDawn(adapter === undefined ? {} : { adapter });
  const tuner = createTuner({ platform: `Dawn ${dawnVersion()}`, store: fileTuningStore(TUNING_FILE) });
  const engine = await openEngine({ ...options, openHost: gpuHost(dawn.gpu, { tuner }) });
  yieldToAdapter(dawn.name);
  const open: (() => Promise<void>)[] = [];
  const nodeEngine: NodeEngine = {
    chat: engine.chat,
    models: engine.models,
    unload: engine.unload,
    get info() {
      return engine.info;
    },
    async load({ path, ...model }) {
      const files = await openModelFiles(path);
      open.push(files.close); // kept open: after a lost device the model is read again
      return engine.load({ tune, ...model, openModel: modelAtHand(files.source) });
    },
    async dispose() {
      await engine.dispose();
      for (const close of open.splice(0)) await close();
    },
  };
  try {
    for (const model of named) {
      const info = await nodeEngine.load({
        ...(signal && { signal }),
        ...(kvCache && { kvCache }),
        ...(precision && { precision }),
        ...model,
      });
      onLoad?.(info);
    }
    return nodeEngine;
  } catch (error) {
    await nodeEngine.dispose();
    throw error;
  }
}
