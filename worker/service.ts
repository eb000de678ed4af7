// What the engine's worker does when it is called: one engine, loaded from files that the page names.
import { EngineError } from "../src/base/errors.ts";
import { type Engine, openEngine } from "../src/engine/engine.ts";
import type { FetchProgress, OpenModel } from "../src/engine/model-opener.ts";
import { identityOfFiles } from "../src/engine/model-opener.ts";
import type { OpenRuntimeHost } from "../src/engine/runtime-host.ts";
import { type ByteSource, blobSource } from "../src/storage/byte-source.ts";
import { type CachedSource, openCached } from "../src/storage/opfs-cache.ts";
import type { ModelFile } from "../src/transport/model-files.ts";
import type { LoadOptions, WorkerApi, WorkerEvent } from "../src/transport/worker-api.ts";

/** The calls of WorkerApi, on one engine at most; without a prototype, and nothing can be put on it. */
export function createService(openHost: OpenRuntimeHost): Readonly<WorkerApi> {
  let loaded: Engine | undefined;

  function engine(): Engine {
    if (!loaded) throw new EngineError("model_not_loaded", "No model is loaded yet. Call `load` first.");
    return loaded;
  }

  const calls: WorkerApi = {
    hold: (lockName) =>
      new Promise((held, failed) => {
        const forEver = new Promise<void>(() => {});
        navigator.locks.request(String(lockName), () => (held(), forEver)).catch(failed);
      }),
    async load(files, options, events, signal) {
      if (loaded) throw new EngineError("invalid_request", "This worker has a model already.");
      const post = (event: WorkerEvent) => events.postMessage(event);
      loaded = await openEngine({
        ...checkOptions(options),
        openModel: openFiles(files),
        openHost,
        onProgress: (progress) => post({ type: "progress", progress }),
        onStats: (stats) => post({ type: "stats", stats }),
        onStall: (stall) => post({ type: "stall", stall }),
        signal,
      });
      return loaded.info;
    },
    create: async (params, signal) => engine().chat.completions.create(params as never, { signal }),
    info: async () => engine().info,
    dispose: async () => loaded?.dispose(),
  };
  return Object.freeze(Object.assign(Object.create(null) as WorkerApi, calls));
}

/** Opens addresses through the cache, and takes everything else as it is. */
function openFiles(files: readonly ModelFile[]): OpenModel {
  return async (onProgress, signal) => {
    const cached: CachedSource[] = [];
    const close = () => {
      for (const source of cached) source.close();
    };
    const progress = joinProgress(onProgress);
    const open = async (file: ModelFile): Promise<ByteSource> => {
      if (file.kind === "source") return file.source;
      if (file.kind === "blob") return blobSource(file.blob, file.name);
      const source = await openCached(file.url, { onProgress: progress(), signal });
      cached.push(source);
      return source;
    };
    try {
      const sources: ByteSource[] = [];
      for (const file of files) sources.push(await open(file));
      return {
        source: { files: sources },
        identity: (identitySignal) => identityOfFiles(sources, identitySignal),
        async finish() {
          for (const source of cached) await source.finish();
          close();
        },
        close,
      };
    } catch (error) {
      close();
      throw error;
    }
  };
}

/** One sum over the files of a split model. What lies in the cache already is no download. */
function joinProgress(onProgress: (progress: FetchProgress) => void) {
  const files: { bytes: number; total: number; cachedBytes: number }[] = [];
  return () => {
    const index = files.length;
    files.push({ bytes: 0, total: 0, cachedBytes: 0 });
    return (progress: { bytes: number; total: number; cachedBytes: number }) => {
      files[index] = progress;
      const sum = (key: "bytes" | "total" | "cachedBytes") => files.reduce((all, file) => all + file[key], 0);
      const phase = sum("cachedBytes") >= sum("bytes") ? "cache" : "download";
      onProgress({ phase, bytes: sum("bytes"), total: sum("total") });
    };
  };
}

function checkOptions({ contextLength, modelId }: LoadOptions): LoadOptions {
  if (contextLength !== undefined && !(Number.isSafeInteger(contextLength) && contextLength >= 2))
    throw new EngineError(
      "invalid_request",
      `A context of ${contextLength} tokens is none: it takes an integer of 2 or more.`,
      {
        param: "contextLength",
      },
    );
  if (modelId !== undefined && typeof modelId !== "string")
    throw new EngineError("invalid_request", "`modelId` has to be a string.", { param: "modelId" });
  return { ...(contextLength !== undefined && { contextLength }), ...(modelId !== undefined && { modelId }) };
}
