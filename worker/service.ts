// What the engine's worker does when it is called: one engine, its models loaded from files that the page names.
import { shown } from "../src/api/checks.ts";
import { EngineError } from "../src/base/errors.ts";
import { holdLock } from "../src/base/held-lock.ts";
import { sha256Hex } from "../src/base/sha256.ts";
import { type Engine, openEngine } from "../src/engine/engine.ts";
import { type FetchProgress, joinIdentities, type OpenModel } from "../src/engine/model-opener.ts";
import type { OpenRuntimeHost } from "../src/engine/runtime-host.ts";
import { isKvCacheType, KV_CACHE_TYPES } from "../src/kernels/kv-format.ts";
import { isPrecision, PRECISIONS } from "../src/kernels/precision.ts";
import { type ByteSource, blobSource } from "../src/storage/byte-source.ts";
import type { CachedSource } from "../src/storage/cached-source.ts";
import { openCached } from "../src/storage/opfs-cache.ts";
import { weightsIdentity } from "../src/storage/weights-identity.ts";
import type { ModelFile } from "../src/transport/model-files.ts";
import type { EngineEvent, LoadOptions, OpenOptions, WorkerApi } from "../src/transport/worker-api.ts";

/** The calls of WorkerApi, on one engine; without a prototype, and nothing can be put on it. */
export function createService(openHost: OpenRuntimeHost): Readonly<WorkerApi> {
  let opened: Promise<Engine> | undefined;

  function engine(): Promise<Engine> {
    if (!opened) throw new EngineError("model_not_loaded", "No engine is open yet. Call `open` first.");
    return opened;
  }

  const calls: WorkerApi = {
    async hold(lockName) {
      await holdLock(navigator.locks, String(lockName));
    },
    async open(options, events) {
      if (opened) throw new EngineError("invalid_request", "This worker has an engine already.");
      const post = (event: EngineEvent) => events.postMessage(event);
      opened = openEngine({
        ...checkOpenOptions(options),
        openHost,
        onStats: (stats) => post({ type: "stats", stats }),
        onStall: (stall) => post({ type: "stall", stall }),
      });
      await opened;
    },
    async load(files, options, progress, signal) {
      const { sha256, ...modelOptions } = checkLoadOptions(options);
      requireOneUrl(files, sha256);
      return (await engine()).load({
        ...modelOptions,
        openModel: openFiles(files, sha256),
        onProgress: (event) => progress.postMessage(event),
        signal,
      });
    },
    unload: async (id) => (await engine()).unload(String(id)),
    listModels: async () => (await engine()).models.list(),
    create: async (params, signal) => (await engine()).chat.completions.create(params as never, { signal }),
    dispose: async () => (await opened)?.dispose(),
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
  if ("startBody" in source) return (await source.identity()) ?? sha256Hex(crypto.getRandomValues(new Uint8Array(32)));
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

function checkOpenOptions({ memoryBudget, speculate }: OpenOptions): OpenOptions {
  if (memoryBudget !== undefined && !(Number.isSafeInteger(memoryBudget) && memoryBudget > 0))
    throw new EngineError(
      "invalid_request",
      `A memory budget of ${memoryBudget} is none: it takes bytes, as an integer.`,
      {
        param: "memoryBudget",
      },
    );
  if (speculate !== undefined && speculate !== "off" && speculate !== "lookup")
    throw new EngineError("invalid_request", "`speculate` has to be 'off' or 'lookup'.", { param: "speculate" });
  return {
    ...(memoryBudget !== undefined && { memoryBudget }),
    ...(speculate !== undefined && { speculate }),
  };
}

function checkLoadOptions({ contextLength, kvCache, precision, tune, id, sha256 }: LoadOptions): LoadOptions {
  if (contextLength !== undefined && !(Number.isSafeInteger(contextLength) && contextLength >= 2))
    throw new EngineError(
      "invalid_request",
      `A context of ${contextLength} tokens is none: it takes an integer of 2 or more.`,
      { param: "contextLength" },
    );
  if (kvCache !== undefined && !isKvCacheType(kvCache))
    throw new EngineError(
      "invalid_request",
      `Keys and values cannot be kept as '${shown(String(kvCache))}': \`kvCache\` takes ${KV_CACHE_TYPES.join(" or ")}.`,
      { param: "kvCache" },
    );
  if (precision !== undefined && !isPrecision(precision))
    throw new EngineError(
      "invalid_request",
      `\`precision\` takes ${PRECISIONS.join(" or ")}, and not ${shown(String(precision))}.`,
      { param: "precision" },
    );
  if (tune !== undefined && tune !== "auto" && tune !== "off")
    throw new EngineError("invalid_request", `\`tune\` takes "auto" or "off", and not ${shown(String(tune))}.`, {
      param: "tune",
    });
  if (id !== undefined && !(typeof id === "string" && id !== ""))
    throw new EngineError("invalid_request", "`id` has to be a string, and not an empty one.", { param: "id" });
  if (sha256 !== undefined && !/^[0-9a-f]{64}$/i.test(sha256))
    throw new EngineError("invalid_request", "`sha256` has to be 64 hexadecimal digits.", { param: "sha256" });
  return {
    ...(contextLength !== undefined && { contextLength }),
    ...(kvCache !== undefined && { kvCache }),
    ...(precision !== undefined && { precision }),
    ...(tune !== undefined && { tune }),
    ...(id !== undefined && { id }),
    ...(sha256 !== undefined && { sha256: sha256.toLowerCase() }),
  };
}
