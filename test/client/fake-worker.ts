// The engine's worker in the test's own thread: the real service behind the real guard, on one end of a channel.
import { type Endpoint, expose } from "comlink";
import type { OpenRuntimeHost } from "../../src/engine/runtime-host.ts";
import { guardedEndpoint } from "../../src/transport/guard.ts";
import { WORKER_METHODS } from "../../src/transport/worker-api.ts";
import { PAGE_ARGUMENTS, registerTransferHandlers } from "../../src/transport.ts";
import { createService } from "../../worker/service.ts";

export interface FakeWorker {
  readonly worker: Worker;
  readonly terminated: boolean;
  /** An uncaught error in the worker. */
  throwError(message: string): void;
  /** Its end without a word: no more messages, and its locks are free. */
  die(): void;
}

/** Locks as far as the engine uses them, which Node 20 lacks. A lock belongs to the worker that is being called. */
export function fakeLocks() {
  const held = new Map<string, { release: () => void; released: Promise<void> }>();
  return {
    held,
    request(name: string, ...rest: [options: { signal?: AbortSignal }, run: () => unknown] | [run: () => unknown]) {
      const run = rest.at(-1) as () => unknown;
      const { signal } = rest.length === 2 ? rest[0] : {};
      const before = held.get(name)?.released ?? Promise.resolve();
      const aborted = new Promise<never>((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
      let release = () => {};
      const dead = new Promise<void>((resolve) => {
        release = resolve;
      });
      if (!held.has(name)) held.set(name, { release, released: dead });
      return Promise.race([before, aborted]).then(() => Promise.race([run(), dead]));
    },
  };
}

export function fakeWorker(openHost: OpenRuntimeHost, locks?: ReturnType<typeof fakeLocks>): FakeWorker {
  registerTransferHandlers();
  const { port1: page, port2: inside } = new MessageChannel();
  const target = new EventTarget();
  let terminated = false;
  const die = () => {
    terminated = true;
    page.close();
    for (const [name, { release }] of locks?.held ?? []) {
      locks?.held.delete(name);
      release();
    }
  };
  expose(createService(openHost), guardedEndpoint(inside as Endpoint, WORKER_METHODS, PAGE_ARGUMENTS));
  page.addEventListener("message", ({ data }) => target.dispatchEvent(new MessageEvent("message", { data })));
  page.start();
  const worker = {
    postMessage: (message: unknown, transfer: Transferable[] = []) => page.postMessage(message, transfer),
    addEventListener: target.addEventListener.bind(target),
    removeEventListener: target.removeEventListener.bind(target),
    terminate: die,
  };
  return {
    worker: worker as unknown as Worker,
    get terminated() {
      return terminated;
    },
    throwError: (message) => target.dispatchEvent(Object.assign(new Event("error"), { message })),
    die,
  };
}
