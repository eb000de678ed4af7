// The engine: models that answer `chat.completions.create`, for as long as it lives. The same in a worker and in Node.
import { parseRequest, requestedModel } from "../api/request.ts";
import type {
  ChatCompletion,
  ChatCompletionChunk,
  ChatCompletions,
  Model,
  Models,
  RequestOptions,
} from "../api/types.ts";
import type { ControlledStream } from "../base/controlled-stream.ts";
import { EngineError, throwIfAborted } from "../base/errors.ts";
import { untilAbort } from "../base/until-abort.ts";
import { answerPlain, answerStreamed, type Job, type Speculation } from "./answer.ts";
import type { Stall } from "./desk.ts";
import { createLoadedModels, type LoadedModel } from "./loaded-models.ts";
import { createMemoryBudget, DEFAULT_MEMORY_BUDGET } from "./memory-budget.ts";
import type { ModelInfo } from "./model-info.ts";
import { encodePrediction, encodePrompt } from "./prompt.ts";
import type { OpenRuntimeHost } from "./runtime-host.ts";
import { createScheduler } from "./scheduler.ts";
import type { Session, SessionOptions } from "./session.ts";
import type { RequestStats } from "./stats.ts";

/** With `openModel`, the engine opens with that model loaded. */
export interface EngineOptions extends Partial<SessionOptions> {
  readonly openHost: OpenRuntimeHost;
  /** Bytes of GPU memory for the keys, values and scratch of all models, beside their weights; default 1 GiB. */
  readonly memoryBudget?: number;
  /** What one user's prompts have computed is not for others: told apart by `safety_identifier`, or `user`. Default false. */
  readonly isolateUsers?: boolean;
  /** Whether drafts are made for requests without a `prediction`, too; default "off". Answers are the same. */
  readonly speculate?: Speculation;
  /** Gets each request's figures, once, when it ends. */
  readonly onStats?: (stats: RequestStats) => void;
  /** A step has taken 20 s and is not done. It may still end. */
  readonly onStall?: (stall: Stall) => void;
  /** Ends the loading. */
  readonly signal?: AbortSignal;
}

export interface ModelOptions extends SessionOptions {
  /** Ends the loading. */
  readonly signal?: AbortSignal;
}

/** @typeParam Load what `load` takes: it depends on where models come from */
export interface Engine<Load = ModelOptions> {
  /** Facts about the model that was loaded first. @throws EngineError `model_not_loaded` when there is none */
  readonly info: ModelInfo;
  readonly chat: { readonly completions: ChatCompletions };
  readonly models: Models;
  /**
   * Loads another model beside those that are there. What does not fit the memory budget is refused before it is downloaded.
   * @throws EngineError `invalid_request` for an id that is taken, `model_malformed`, `unsupported_architecture`,
   *   `unsupported_format`, `download_failed`, `quota_exceeded`, `out_of_memory`, `aborted`, …
   */
  load(options: Load): Promise<ModelInfo>;
  /** Ends the model's calls with `model_not_loaded` and frees it. @throws EngineError `model_not_found` */
  unload(id: string): Promise<void>;
  /** Ends every call with `disposed`, waits for their clean-up, and frees everything. */
  dispose(): Promise<void>;
}

/**
 * Opens an engine and, if one is named, loads a model. When the device is lost, every call under way rejects with
 * `device_lost`, and the next one finds its model loaded anew.
 * @throws EngineError `webgpu_unavailable`, and as `Engine.load`
 */
export async function openEngine(options: EngineOptions): Promise<Engine> {
  const {
    openHost,
    memoryBudget = DEFAULT_MEMORY_BUDGET,
    isolateUsers = false,
    speculate = "off",
    onStall,
    onStats,
    signal,
    openModel,
    ...first
  } = options;
  const budget = createMemoryBudget(memoryBudget);
  const models = createLoadedModels({ openHost, budget, isolateUsers, scheduler: createScheduler(onStall) });
  let disposed = false;

  function throwIfDisposed(): void {
    if (disposed) throw new EngineError("disposed", "This engine was disposed of. Open another one.");
  }

  /** Whatever else a disposal made fail, it was the disposal. */
  function rethrow(error: unknown): never {
    throwIfDisposed();
    throw error;
  }

  async function create(
    params: unknown,
    { signal: given }: RequestOptions = {},
  ): Promise<ChatCompletion | ControlledStream<ChatCompletionChunk>> {
    const callSignal = given ?? undefined;
    throwIfDisposed();
    throwIfAborted(callSignal);
    const model = modelFor(params);
    const request = parseRequest(params, model.limits);
    const session = await untilAbort(model.session(), callSignal).catch(rethrow);
    throwIfDisposed();
    throwIfAborted(callSignal);
    const prompt = encodePrompt(session, request);
    const job: Job = {
      session,
      request,
      prompt,
      prediction: encodePrediction(session, request),
      speculate,
      signal: callSignal,
      onStats: (stats) => report(session, stats),
    };
    if (!request.stream) {
      const answer = answerPlain(job);
      model.track(answer);
      return answer;
    }
    const { stream, ended } = answerStreamed(job);
    model.track(ended);
    return stream;
  }

  /** A request without a usable name is checked against any model, and refused for it. */
  function modelFor(params: unknown): LoadedModel {
    const name = requestedModel(params);
    const any = models.list()[0];
    if (name === undefined && any) return any;
    return models.find(name ?? "");
  }

  function report(session: Session, stats: RequestStats): void {
    if (stats.finish === "device_lost") models.lost(session, deviceLost());
    // In a task of its own: a callback that throws is its owner's error, and no part of the answer.
    if (onStats) queueMicrotask(() => onStats(stats));
  }

  const engine: Engine = {
    get info() {
      const model = models.list()[0];
      if (!model) throw new EngineError("model_not_loaded", "No model is loaded. Call `load` first.");
      return model.info;
    },
    chat: { completions: { create: create as ChatCompletions["create"] } },
    models: {
      list: async () => ({ object: "list", data: models.list().map(describe) }),
      retrieve: async (id) => describe(models.find(id)),
    },
    async load({ signal: loadSignal, ...model }) {
      throwIfDisposed();
      throwIfAborted(loadSignal);
      const loaded = await models.load(model, loadSignal).catch(rethrow);
      return loaded.info;
    },
    unload: (id) => models.unload(id),
    async dispose() {
      disposed = true;
      await models.dispose(new EngineError("disposed", "The engine was disposed of while this call was running."));
    },
  };
  try {
    if (openModel) await engine.load({ ...first, openModel, ...(signal && { signal }) });
    return engine;
  } catch (error) {
    await engine.dispose();
    throw error;
  }
}

function describe({ id, created }: LoadedModel): Model {
  return { id, object: "model", created, owned_by: "ingle" };
}

function deviceLost(): EngineError<"device_lost"> {
  return new EngineError("device_lost", "The GPU was lost. The next call loads the model again.");
}
