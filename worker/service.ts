// What the engine's worker does when it is called: one engine, loaded from files that the page names.
import { EngineError } from "../src/base/errors.ts";
import { type Engine, openEngine } from "../src/engine/engine.ts";
import { type FetchProgress, joinIdentities, type OpenModel } from "../src/engine/model-opener.ts";
import type { OpenRuntimeHost } from "../src/engine/runtime-host.ts";
import { type ByteSource, blobSource } from "../src/storage/byte-source.ts";
import type { CachedSource } from "../src/storage/cached-source.ts";
import { openCached } from "../src/storage/opfs-cache.ts";
import { digestChunk, weightsIdentity } from "../src/storage/weights-identity.ts";
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
        const holdForEver = () => {
          held();
          return new Promise<void>(() => {});
        };
        navigator.locks.request(String(lockName), holdForEver).catch(failed);
      }),
    async load(files, options, events, signal) {
      if (loaded) throw new EngineError("invalid_request", "This worker has a model already.");
      const post = (event: WorkerEvent) => events.postMessage(event);
      const { sha256, ...engineOptions } = checkOptions(options);
      requireOneUrl(files, sha256);
      loaded = await openEngine({
        ...engineOptions,
        openModel: openFiles(files, sha256),
        openHost,
        onProgress: (progress) => post({ type: "progress", progress }),
        onStats: (stats) => post({ type: "stats", stats }),
        onStall: (stall) => post({ type: "stall", stall }),
        signal,
      });
      return loaded.info;
    },
    create: async (params, signal) => engine().chat.completions.create(params as never, { signal }),
    dispose: async () => loaded?.dispose(),
  };
  return Object.freeze(Object.assign(Object.create(null) as WorkerApi, calls));
}

/** Opens addresses through the cache, and takes everything else as it is. */
function openFiles(files: readonly ModelFile[], sha256: string | undefined): OpenModel {
  return async (onProgress, signal) => {
    const cached: CachedSource[] = [];
    const close = () => {
      for (const source of cached) source.close();
    };
    const progress = joinProgress(onProgress);
    const open = async (file: ModelFile): Promise<ByteSource> => {
      if (file.kind === "source") return file.source;
      if (file.kind === "blob") return blobSource(file.blob, file.name);
      const expected = sha256 === undefined ? {} : { expected: { sha256 } };
      const source = await openCached(file.url, { ...expected, onProgress: progress(), signal });
      cached.push(source);
      return source;
    };
    try {
      const sources: ByteSource[] = [];
      for (const file of files) sources.push(await open(file));
      return {
        source: { files: sources },
        startBody() {
          for (const source of cached) source.startBody();
        },
        async finish(finishSignal) {
          for (const source of cached) await source.finish(finishSignal);
          return cached.flatMap(({ name, note }) => (note === undefined ? [] : [`${name}: ${note}`]));
        },
        identity: () => joinIdentities(sources, (source) => identify(source, signal)),
        close,
      };
    } catch (error) {
      close();
      throw error;
    }
  };
}

/** A download that is not kept cannot be read again; unknown weights are like no others, and so is their fingerprint. */
async function identify(source: ByteSource | CachedSource, signal: AbortSignal): Promise<string> {
  if ("startBody" in source)
    return (await source.identity()) ?? digestChunk(crypto.getRandomValues(new Uint8Array(32)));
  return weightsIdentity(source, signal);
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
      const phase = sum("bytes") > 0 && sum("cachedBytes") >= sum("bytes") ? "cache" : "download";
      onProgress({ phase, bytes: sum("bytes"), total: sum("total") });
    };
  };
}

function requireOneUrl(files: readonly ModelFile[], sha256: string | undefined): void {
  if (sha256 === undefined || (files.length === 1 && files[0]!.kind === "url")) return;
  throw new EngineError(
    "invalid_request",
    "`sha256` is of one file at a URL; other models are identified by their weights.",
    {
      param: "sha256",
    },
  );
}

function checkOptions({ contextLength, modelId, sha256 }: LoadOptions): LoadOptions {
  if (contextLength !== undefined && !(Number.isSafeInteger(contextLength) && contextLength >= 2))
    throw new EngineError(
      "invalid_request",
      `A context of ${contextLength} tokens is none: it takes an integer of 2 or more.`,
      { param: "contextLength" },
    );
  if (modelId !== undefined && typeof modelId !== "string")
    throw new EngineError("invalid_request", "`modelId` has to be a string.", { param: "modelId" });
  if (sha256 !== undefined && !/^[0-9a-f]{64}$/i.test(sha256))
    throw new EngineError("invalid_request", "`sha256` has to be 64 hexadecimal digits.", { param: "sha256" });
  return {
    ...(contextLength !== undefined && { contextLength }),
    ...(modelId !== undefined && { modelId }),
    ...(sha256 !== undefined && { sha256: sha256.toLowerCase() }),
  };
}
