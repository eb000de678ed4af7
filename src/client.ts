// createEngine(): the page's side of the engine. It starts the worker, follows its life, and hands out its answers.
import { type Remote, transfer, wrap } from "comlink";
import type { ChatCompletion, ChatCompletionChunk, ChatCompletions, RequestOptions } from "./api/types.ts";
import { type ControlledStream, controlledStream } from "./base/controlled-stream.ts";
import { abortedError, EngineError, throwIfAborted } from "./base/errors.ts";
import { PendingCalls } from "./base/pending.ts";
import type { Engine } from "./engine/engine.ts";
import type { ModelInfo } from "./engine/model-info.ts";
import type { ProgressEvent } from "./engine/progress.ts";
import type { Stall } from "./engine/scheduler.ts";
import type { RequestStats } from "./engine/stats.ts";
import { ModelFiles, type ModelInput } from "./transport/model-files.ts";
import { forgetSignal } from "./transport/signal.ts";
import type { LoadOptions, WorkerApi, WorkerEvent } from "./transport/worker-api.ts";
import { registerTransferHandlers } from "./transport.ts";

export interface CreateEngineOptions extends LoadOptions {
  /** One GGUF, or the parts of a split one. */
  readonly model: ModelInput | readonly ModelInput[];
  readonly onProgress?: (event: ProgressEvent) => void;
  /** Gets each request's figures, once, when it ends. */
  readonly onStats?: (stats: RequestStats) => void;
  /** A step has taken 20 s and is not done. It may still end. */
  readonly onStall?: (stall: Stall) => void;
  /** Ends the loading. */
  readonly signal?: AbortSignal;
  /** Starts the engine's worker, where the bundled one does not fit. */
  readonly worker?: () => Worker;
}

interface Connection {
  readonly info: ModelInfo;
  readonly remote: Remote<WorkerApi>;
  /** Whoever waits for the worker: all of them reject when it dies. */
  readonly calls: PendingCalls;
  /** Ends the worker, politely if it listens, and every pending call with `error`. */
  close(error: EngineError): Promise<void>;
}

/** A worker that does not answer is terminated after this long. */
const FAREWELL_MS = 2_000;

/**
 * Loads a model in a worker and resolves when it can answer. When the worker crashes, every pending call rejects with
 * `worker_crashed`, and the next one starts another worker.
 * @throws EngineError `webgpu_unavailable`, `worker_crashed`, `aborted`, and all that loading a model can meet
 */
export async function createEngine(options: CreateEngineOptions): Promise<Engine> {
  registerTransferHandlers();
  const life = new AbortController();
  let connecting: Promise<Connection> | undefined;
  let info: ModelInfo;

  /** The worker, started anew after a crash. Callers share one start. */
  function connection(signal: AbortSignal): Promise<Connection> {
    if (connecting) return connecting;
    const forget = () => {
      if (connecting === attempt) connecting = undefined;
    };
    const attempt = connect(options, signal, forget);
    attempt.catch(forget);
    connecting = attempt;
    return attempt;
  }

  async function create(
    params: { stream?: boolean | null },
    { signal }: RequestOptions = {},
  ): Promise<ChatCompletion | ControlledStream<ChatCompletionChunk>> {
    throwIfDisposed(life.signal);
    throwIfAborted(signal ?? undefined);
    const call = startCall(signal ?? undefined);
    let answer: ChatCompletion | AsyncIterableIterator<ChatCompletionChunk, undefined>;
    let calls: PendingCalls;
    try {
      const opened = await untilAbort(connection(life.signal), call.controller.signal);
      ({ info, calls } = opened);
      const answering = opened.remote.create(params, call.controller.signal).catch(explainCloning);
      answer = (await untilAbort(calls.track(answering), call.controller.signal)) as typeof answer;
    } catch (error) {
      call.end();
      throwIfDisposed(life.signal);
      throw error;
    }
    if (!(Symbol.asyncIterator in answer)) {
      call.end();
      return answer;
    }
    return controlledStream(trackedIterator(answer, calls, call.end), call.controller);
  }

  ({ info } = await connection(options.signal ?? life.signal));
  return {
    get info() {
      return info;
    },
    chat: { completions: { create: create as ChatCompletions["create"] } },
    async dispose() {
      if (life.signal.aborted) return;
      life.abort();
      const opened = await connecting?.catch(() => undefined);
      await opened?.close(new EngineError("disposed", "The engine was disposed of while this call was running."));
    },
  };
}

/** Starts a worker and loads the model in it. `onCrash`: the connection is dead, all its calls have been rejected. */
async function connect(options: CreateEngineOptions, signal: AbortSignal, onCrash: () => void): Promise<Connection> {
  throwIfAborted(signal);
  const calls = new PendingCalls();
  const watching = new AbortController();
  const events = new MessageChannel();
  const worker = startWorker(options.worker);

  function end(error: EngineError): void {
    watching.abort();
    calls.fail(error);
    worker.terminate();
    events.port1.close();
  }
  function crash(reason: string): void {
    if (watching.signal.aborted) return;
    end(
      new EngineError(
        "worker_crashed",
        `The engine's worker crashed or did not start: ${reason}. The next call restarts it.`,
      ),
    );
    onCrash();
  }
  worker.addEventListener("error", (event) => crash((event as ErrorEvent).message || "its script could not be run"));
  worker.addEventListener("messageerror", () => crash("a message could not be read"));
  events.port1.onmessage = ({ data }: MessageEvent<WorkerEvent>) => deliver(data, options);

  const remote = wrap<WorkerApi>(worker);
  const call = startCall(signal);
  try {
    await watchLock(remote, calls, watching.signal, crash);
    const { contextLength, modelId, sha256 } = options;
    const loadOptions: LoadOptions = {
      ...(contextLength !== undefined && { contextLength }),
      ...(modelId !== undefined && { modelId }),
      ...(sha256 !== undefined && { sha256 }),
    };
    const inputs = Array.isArray(options.model)
      ? (options.model as readonly ModelInput[])
      : [options.model as ModelInput];
    // The transport turns ModelFiles into the worker's ModelFile[].
    const files = new ModelFiles(inputs) as unknown as Parameters<WorkerApi["load"]>[0];
    const port = transfer(events.port2, [events.port2]);
    const loading = remote.load(files, loadOptions, port, call.controller.signal);
    const info = (await untilAbort(calls.track(loading), call.controller.signal)) as ModelInfo;
    return {
      info,
      remote,
      calls,
      async close(error) {
        watching.abort();
        calls.fail(error);
        await Promise.race([remote.dispose().then(ignore, ignore), delay(FAREWELL_MS)]);
        end(error);
      },
    };
  } catch (error) {
    end(new EngineError("disposed", "The engine was not loaded."));
    throw error;
  } finally {
    call.end();
  }
}

function startWorker(start: CreateEngineOptions["worker"]): Worker {
  try {
    return start?.() ?? new Worker(new URL("../worker/engine-worker.ts", import.meta.url), { type: "module" });
  } catch (cause) {
    throw new EngineError("worker_crashed", `The engine's worker could not be started: ${String(cause)}.`, { cause });
  }
}

/** The worker holds a lock; that the page gets it means that the worker is no more. Nothing else tells so at once. */
async function watchLock(
  remote: Remote<WorkerApi>,
  calls: PendingCalls,
  signal: AbortSignal,
  crash: (reason: string) => void,
): Promise<void> {
  const locks = globalThis.navigator?.locks;
  if (!locks) return; // an insecure context, which has no WebGPU either: `load` will say so
  const name = `ingle-${crypto.randomUUID()}`;
  await calls.track(remote.hold(name));
  locks.request(name, { signal }, () => crash("it ended")).catch(ignore);
}

function deliver(event: WorkerEvent, { onProgress, onStats, onStall }: CreateEngineOptions): void {
  if (event.type === "progress") onProgress?.(event.progress);
  else if (event.type === "stats") onStats?.(event.stats);
  else onStall?.(event.stall);
}

/** A controller of its own for each call, that follows the caller's signal until the call is over. */
function startCall(signal: AbortSignal | undefined): { controller: AbortController; end(): void } {
  const controller = new AbortController();
  const follow = () => controller.abort(signal?.reason);
  if (signal?.aborted) follow();
  signal?.addEventListener("abort", follow, { once: true });
  return {
    controller,
    end() {
      signal?.removeEventListener("abort", follow);
      forgetSignal(controller.signal);
    },
  };
}

function trackedIterator<T>(
  inner: AsyncIterator<T, undefined>,
  calls: PendingCalls,
  onEnd: () => void,
): AsyncIterator<T, undefined> {
  const track = async (pulled: Promise<IteratorResult<T, undefined>>) => {
    try {
      const result = await calls.track(pulled);
      if (result.done) onEnd();
      return result;
    } catch (error) {
      onEnd();
      throw error;
    }
  };
  return {
    next: () => track(inner.next()),
    return: () => track(inner.return?.() ?? Promise.resolve({ done: true, value: undefined })),
  };
}

/** Settles as `call` does, or rejects with `aborted` at once when the signal fires. */
function untilAbort<T>(call: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(abortedError(signal));
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    call.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

/** What cannot be cloned cannot be JSON either. */
function explainCloning(error: unknown): never {
  if (error instanceof DOMException && error.name === "DataCloneError")
    throw new EngineError("invalid_request", `The request holds something that is not plain data: ${error.message}`, {
      wireCode: "invalid_type",
      cause: error,
    });
  throw error;
}

function throwIfDisposed(signal: AbortSignal): void {
  if (signal.aborted) throw new EngineError("disposed", "This engine was disposed of. Create another one.");
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function ignore(): void {}
