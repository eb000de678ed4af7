// createEngine(): the page's side of the engine. It starts the worker, brings it back with its models after a crash, and hands
// out its answers.
import type { ChatCompletion, ChatCompletionChunk, ChatCompletions, RequestOptions } from "./api/types.ts";
import { type ControlledStream, controlledStream } from "./base/controlled-stream.ts";
import { EngineError, throwIfAborted } from "./base/errors.ts";
import type { PendingCalls } from "./base/pending.ts";
import { untilAbort } from "./base/until-abort.ts";
import { explainCloning, startCall, trackedIterator } from "./client/call.ts";
import { type Connection, connect, type PageModel } from "./client/connection.ts";
import type { Stall } from "./engine/desk.ts";
import type { Engine as EngineOf } from "./engine/engine.ts";
import type { ModelInfo } from "./engine/model-info.ts";
import type { RequestStats } from "./engine/stats.ts";
import { createFetchHandler, type FetchHandler } from "./server/fetch-handler.ts";
import type { EngineEvent, OpenOptions } from "./transport/worker-api.ts";
import { registerTransferHandlers } from "./transport.ts";

export type { PageModel };

/** With `model`, the engine opens with that model loaded. */
export interface CreateEngineOptions extends Partial<PageModel>, OpenOptions {
  /** Gets each request's figures, once, when it ends. */
  readonly onStats?: (stats: RequestStats) => void;
  /** A step has taken 20 s and is not done. It may still end. */
  readonly onStall?: (stall: Stall) => void;
  /** Starts the engine's worker, where the bundled one does not fit. */
  readonly worker?: () => Worker;
}

export interface Engine extends EngineOf<PageModel> {
  /**
   * The OpenAI HTTP surface without a server: `new OpenAI({ apiKey: "local", baseURL: "http://ingle/v1", fetch: engine.fetch,
   * dangerouslyAllowBrowser: true })`.
   */
  readonly fetch: FetchHandler;
}

/** A model that the worker has, or is to have again after a crash. */
interface Loaded {
  readonly model: PageModel;
  readonly info: ModelInfo;
}

/**
 * Opens an engine in a worker, and resolves when it can answer. When the worker crashes, every pending call rejects with
 * `worker_crashed`, and the next one starts another worker with the same models.
 * @throws EngineError `webgpu_unavailable`, `worker_crashed`, `aborted`, and all that loading a model can meet
 */
export async function createEngine(options: CreateEngineOptions = {}): Promise<Engine> {
  registerTransferHandlers();
  const { onStats, onStall, worker, memoryBudget, speculate, model, ...firstOptions } = options;
  const life = new AbortController();
  const loaded = new Map<string, Loaded>();
  let connecting: Promise<Connection> | undefined;

  /** The worker, started anew after a crash, with all models that there were. Callers share one start. */
  function connection(): Promise<Connection> {
    if (connecting) return connecting;
    const forget = () => {
      if (connecting === attempt) connecting = undefined;
    };
    const attempt = restart(forget);
    attempt.catch(forget);
    connecting = attempt;
    return attempt;
  }

  async function restart(onCrash: () => void): Promise<Connection> {
    throwIfAborted(life.signal);
    const opened = await connect({
      onEvent,
      onCrash,
      worker,
      ...(memoryBudget !== undefined && { memoryBudget }),
      ...(speculate !== undefined && { speculate }),
    });
    try {
      for (const [id, { model }] of loaded) await opened.load({ ...model, id }, life.signal);
      return opened;
    } catch (error) {
      await opened.close(new EngineError("disposed", "The engine was not loaded."));
      throw error;
    }
  }

  function onEvent(event: EngineEvent): void {
    if (event.type === "stats") onStats?.(event.stats);
    else onStall?.(event.stall);
  }

  /** Something that the worker is asked for, by a caller who may leave. */
  async function ask<T>(
    signal: AbortSignal | undefined,
    question: (opened: Connection, signal: AbortSignal) => Promise<T>,
  ): Promise<{ answer: T; calls: PendingCalls; end: () => void; controller: AbortController }> {
    throwIfDisposed(life.signal);
    throwIfAborted(signal);
    const call = startCall(signal);
    try {
      const opened = await untilAbort(connection(), call.controller.signal);
      const asked = opened.calls.track(question(opened, call.controller.signal).catch(explainCloning));
      return { answer: await untilAbort(asked, call.controller.signal), calls: opened.calls, ...call };
    } catch (error) {
      call.end();
      throwIfDisposed(life.signal);
      throw error;
    }
  }

  async function create(
    params: { stream?: boolean | null },
    { signal }: RequestOptions = {},
  ): Promise<ChatCompletion | ControlledStream<ChatCompletionChunk>> {
    const asked = await ask(signal ?? undefined, ({ remote }, callSignal) => remote.create(params, callSignal));
    const answer = asked.answer as ChatCompletion | AsyncIterableIterator<ChatCompletionChunk, undefined>;
    if (Symbol.asyncIterator in answer)
      return controlledStream(trackedIterator(answer, asked.calls, asked.end), asked.controller);
    asked.end();
    return answer;
  }

  async function listModels({ signal }: RequestOptions = {}) {
    const { answer, end } = await ask(signal ?? undefined, ({ remote }) => remote.listModels());
    end();
    return answer;
  }

  async function load({ signal, ...added }: PageModel): Promise<ModelInfo> {
    const { answer: info, end } = await ask(signal, (opened, callSignal) => opened.load(added, callSignal));
    end();
    loaded.set(info.id, { model: added, info });
    return info;
  }

  const engine: EngineOf<PageModel> = {
    get info() {
      const [first] = loaded.values();
      if (!first) throw new EngineError("model_not_loaded", "No model is loaded. Call `load` first.");
      return first.info;
    },
    chat: { completions: { create: create as ChatCompletions["create"] } },
    models: {
      list: listModels,
      async retrieve(id, requestOptions) {
        const { data } = await listModels(requestOptions);
        const found = data.find((entry) => entry.id === id);
        if (found) return found;
        throw new EngineError("model_not_found", `The model '${id}' is not loaded.`, { param: "model" });
      },
    },
    load,
    async unload(id) {
      const { end } = await ask(undefined, ({ remote }) => remote.unload(id));
      end();
      loaded.delete(id);
    },
    async dispose() {
      if (life.signal.aborted) return;
      life.abort();
      const opened = await connecting?.catch(() => undefined);
      await opened?.close(new EngineError("disposed", "The engine was disposed of while this call was running."));
    },
  };
  const pageEngine: Engine = Object.assign(engine, { fetch: createFetchHandler(engine) });
  if (model === undefined) return pageEngine;
  try {
    await load({ ...firstOptions, model });
    return pageEngine;
  } catch (error) {
    await engine.dispose();
    throw error;
  }
}

function throwIfDisposed(signal: AbortSignal): void {
  if (signal.aborted) throw new EngineError("disposed", "This engine was disposed of. Create another one.");
}
