// The engine in Node, without a worker: Dawn's GPU and a file on disk. For the command line, the bench and tests.
import { existsSync } from "node:fs";
import { type Engine, type EngineOptions, openEngine } from "../src/engine/engine.ts";
import { gpuHost } from "../src/engine/gpu-host.ts";
import { modelAtHand } from "../src/engine/model-opener.ts";
import { CommandError } from "./command-error.ts";
import { openDawn, yieldToAdapter } from "./dawn.ts";
import { DEFAULT_MODEL_PATH } from "./default-model.ts";
import { openModelFiles } from "./model-files.ts";

export interface NodeEngineOptions extends Omit<EngineOptions, "openModel" | "openHost"> {
  /** Path of a GGUF file; default: the default model. */
  model?: string | undefined;
  /** As `openDawn` takes it. */
  adapter?: string | undefined;
}

/** @throws CommandError when the model is missing, EngineError for everything that loading can meet */
export async function openNodeEngine({ model, adapter, ...options }: NodeEngineOptions): Promise<Engine> {
  const path = model ?? DEFAULT_MODEL_PATH;
  if (!existsSync(path)) {
    throw new CommandError(
      model === undefined
        ? "the default model is not here; run npm run fetch-model, or name another with --model FILE"
        : `there is no file ${model}`,
    );
  }
  const dawn = await openDawn(adapter === undefined ? {} : { adapter });
  const files = await openModelFiles(path);
  try {
    const engine = await openEngine({
      ...options,
      openModel: modelAtHand(files.source),
      openHost: gpuHost(dawn.gpu),
    });
    if (/llvmpipe|swiftshader/i.test(dawn.name)) yieldToAdapter();
    const { dispose } = engine;
    engine.dispose = async () => {
      await dispose();
      await files.close();
    };
    return engine;
  } catch (error) {
    await files.close();
    throw error;
  }
}
