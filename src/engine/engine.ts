// The engine: a model that answers `chat.completions.create`, for as long as it lives. The same in a worker and in Node.
import { parseRequest } from "../api/request.ts";
import type { ChatCompletion, ChatCompletionChunk, ChatCompletions, RequestOptions } from "../api/types.ts";
import type { ControlledStream } from "../base/controlled-stream.ts";
import { EngineError, throwIfAborted } from "../base/errors.ts";
import { answerPlain, answerStreamed, type Job } from "./answer.ts";
import type { ModelInfo } from "./model-info.ts";
import { encodePrompt } from "./prompt.ts";
import { openSession, type Session, type SessionOptions } from "./session.ts";
import type { RequestStats } from "./stats.ts";

export interface EngineOptions extends SessionOptions {
  /** Gets each request's figures, once, when it ends. */
  readonly onStats?: (stats: RequestStats) => void;
  /** Ends the loading. */
  readonly signal?: AbortSignal;
}

export interface Engine {
  /** Facts about the loaded model. */
  readonly info: ModelInfo;
  readonly chat: { readonly completions: ChatCompletions };
  /** Ends every call with `disposed`, waits for their clean-up, and frees everything. */
  dispose(): Promise<void>;
}

/**
 * Loads a model and resolves when it can answer. When the device is lost, every call under way rejects with `device_lost`,
 * and the next one finds the model loaded anew.
 * @throws EngineError `webgpu_unavailable`, `model_malformed`, `unsupported_architecture`, `unsupported_format`,
 *   `download_failed`, `quota_exceeded`, `out_of_memory`, `aborted`, …
 */
export async function openEngine(options: EngineOptions): Promise<Engine> {
  const life = new AbortController();
  const running = new Set<Promise<void>>();
  let current: Session | undefined;
  let opening: Promise<Session> | undefined;

  /** The session, loaded anew after a loss. Callers share one loading, and no caller's abort ends it. */
  function openShared(): Promise<Session> {
    if (current) return Promise.resolve(current);
    opening ??= openSession(options, life.signal)
      .then((session) => {
        current = session;
        void session.lost.then((error) => drop(session, error));
        return session;
      })
      .finally(() => {
        opening = undefined;
      });
    return opening;
  }

  /** Ends the requests of a session that is no more. */
  function drop(session: Session, error: EngineError): void {
    if (current !== session) return;
    current = undefined;
    session.scheduler.stop(error);
    session.dispose();
  }

  function throwIfDisposed(): void {
    if (life.signal.aborted) throw new EngineError("disposed", "This engine was disposed of. Open another one.");
  }

  /** `dispose` waits for these. */
  function track(work: Promise<unknown>): void {
    const settled = work.then(ignore, ignore);
    running.add(settled);
    void settled.then(() => running.delete(settled));
  }

  async function create(
    params: unknown,
    options: RequestOptions = {},
  ): Promise<ChatCompletion | ControlledStream<ChatCompletionChunk>> {
    const signal = options.signal ?? undefined;
    throwIfDisposed();
    throwIfAborted(signal);
    const session = await openShared().catch((error) => {
      throwIfDisposed();
      throw error;
    });
    throwIfDisposed();
    throwIfAborted(signal);
    const request = parseRequest(params, {
      tokenizer: session.tokenizer,
      templateVariables: session.template.variables,
    });
    const prompt = encodePrompt(session, request);
    const job: Job = { session, request, prompt, signal, onStats: (stats) => report(session, stats) };
    if (!request.stream) {
      const answer = answerPlain(job);
      track(answer);
      return answer;
    }
    const { stream, ended } = answerStreamed(job);
    track(ended);
    return stream;
  }

  function report(session: Session, stats: RequestStats): void {
    // A step may find the device lost before the device says so itself.
    if (stats.finish === "device_lost") drop(session, deviceLost());
    // In a task of its own: a callback that throws is its owner's error, and no part of the answer.
    if (options.onStats) queueMicrotask(() => options.onStats?.(stats));
  }

  const stopLoading = () => life.abort(options.signal?.reason);
  throwIfAborted(options.signal);
  options.signal?.addEventListener("abort", stopLoading, { once: true });
  let { info } = await openShared().finally(() => options.signal?.removeEventListener("abort", stopLoading));

  return {
    get info() {
      info = current?.info ?? info;
      return info;
    },
    chat: { completions: { create: create as ChatCompletions["create"] } },
    async dispose() {
      life.abort();
      current?.scheduler.stop(new EngineError("disposed", "The engine was disposed of while this call was running."));
      await Promise.all(running);
      await opening?.then(ignore, ignore);
      current?.dispose();
      current = undefined;
    },
  };
}

function deviceLost(): EngineError<"device_lost"> {
  return new EngineError("device_lost", "The GPU was lost. The next call loads the model again.");
}

function ignore(): void {}
