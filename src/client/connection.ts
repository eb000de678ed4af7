// The page's connection to one worker: started, watched, and ended with every call that waits for it.
import { type Remote, transfer, wrap } from "comlink";
import { EngineError } from "../base/errors.ts";
import { whenReleased } from "../base/held-lock.ts";
import { PendingCalls } from "../base/pending.ts";
import { sleep, untilAbort } from "../base/until-abort.ts";
import type { ModelInfo } from "../engine/model-info.ts";
import type { ProgressEvent } from "../engine/progress.ts";
import { ModelFiles, type ModelInput } from "../transport/model-files.ts";
import type { EngineEvent, LoadOptions, OpenOptions, WorkerApi } from "../transport/worker-api.ts";
import { startCall } from "./call.ts";

/** A model, from where the page has it. */
export interface PageModel extends LoadOptions {
  /** One GGUF, or the parts of a split one. */
  readonly model: ModelInput | readonly ModelInput[];
  /** Also told of when the model is loaded again, after the device was lost or the worker crashed. */
  readonly onProgress?: (event: ProgressEvent) => void;
  /** Ends the loading. */
  readonly signal?: AbortSignal;
}

export interface ConnectionOptions extends OpenOptions {
  readonly onEvent: (event: EngineEvent) => void;
  /** The connection is dead, and all its calls have been rejected. */
  readonly onCrash: () => void;
  /** Starts the worker, where the bundled one does not fit. */
  readonly worker: (() => Worker) | undefined;
}

export interface Connection {
  readonly remote: Remote<WorkerApi>;
  /** Whoever waits for the worker: all of them reject when it dies. */
  readonly calls: PendingCalls;
  load(model: PageModel, signal: AbortSignal | undefined): Promise<ModelInfo>;
  /** Ends the worker, politely if it listens, and every pending call with `error`. */
  close(error: EngineError): Promise<void>;
}

/** A worker that does not answer is terminated after this long. */
const FAREWELL_MS = 2_000;

/** @throws EngineError `worker_crashed` */
export async function connect(options: ConnectionOptions): Promise<Connection> {
  const calls = new PendingCalls();
  const watching = new AbortController();
  const events = new MessageChannel();
  const ports = new Set([events.port1]);
  const worker = startWorker(options.worker);

  function end(error: EngineError): void {
    watching.abort();
    calls.fail(error);
    worker.terminate();
    for (const port of ports) port.close();
  }
  function crash(reason: string): void {
    if (watching.signal.aborted) return;
    end(
      new EngineError(
        "worker_crashed",
        `The engine's worker crashed or did not start: ${reason}. The next call restarts it.`,
      ),
    );
    options.onCrash();
  }
  worker.addEventListener("error", (event) => crash((event as ErrorEvent).message || "its script could not be run"));
  worker.addEventListener("messageerror", () => crash("a message could not be read"));
  events.port1.onmessage = ({ data }: MessageEvent<EngineEvent>) => options.onEvent(data);

  const remote = wrap<WorkerApi>(worker);

  async function close(error: EngineError): Promise<void> {
    watching.abort();
    calls.fail(error);
    await Promise.race([remote.dispose().then(ignore, ignore), sleep(FAREWELL_MS)]);
    end(error);
  }

  try {
    await watchLock(remote, calls, watching.signal, crash);
    const { memoryBudget, speculate } = options;
    const open: OpenOptions = {
      ...(memoryBudget !== undefined && { memoryBudget }),
      ...(speculate !== undefined && { speculate }),
    };
    await calls.track(remote.open(open, transfer(events.port2, [events.port2])));
  } catch (error) {
    end(new EngineError("disposed", "The engine was not opened."));
    throw error;
  }
  return {
    remote,
    calls,
    close,
    async load({ model, onProgress, contextLength, kvCache, precision, tune, id, sha256 }, signal) {
      const call = startCall(signal);
      const progress = new MessageChannel();
      ports.add(progress.port1);
      progress.port1.onmessage = ({ data }: MessageEvent<ProgressEvent>) => onProgress?.(data);
      const inputs = Array.isArray(model) ? (model as readonly ModelInput[]) : [model as ModelInput];
      // The transport turns ModelFiles into the worker's ModelFile[].
      const files = new ModelFiles(inputs) as unknown as Parameters<WorkerApi["load"]>[0];
      const loadOptions: LoadOptions = {
        ...(contextLength !== undefined && { contextLength }),
        ...(kvCache !== undefined && { kvCache }),
        ...(precision !== undefined && { precision }),
        ...(tune !== undefined && { tune }),
        ...(id !== undefined && { id }),
        ...(sha256 !== undefined && { sha256 }),
      };
      try {
        const port = transfer(progress.port2, [progress.port2]);
        const loading = remote.load(files, loadOptions, port, call.controller.signal);
        return (await untilAbort(calls.track(loading), call.controller.signal)) as ModelInfo;
      } catch (error) {
        progress.port1.close();
        throw error;
      } finally {
        call.end();
      }
    },
  };
}

function startWorker(start: ConnectionOptions["worker"]): Worker {
  try {
    return start?.() ?? new Worker(new URL("../../worker/engine-worker.ts", import.meta.url), { type: "module" });
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
  whenReleased(locks, name, signal, () => crash("it ended"));
}

function ignore(): void {}
