// A page that serves: it offers to answer whatever the service worker of its scope asks for.
import { holdLock } from "../base/held-lock.ts";
import type { RequestHandler } from "./fetch-handler.ts";
import { startAnswer } from "./service-worker-answer.ts";
import { type FromPage, isAsk, newServingLock, note, readToPage } from "./service-worker-messages.ts";

export interface OffersOptions {
  /** `navigator.serviceWorker` */
  readonly container: ServiceWorkerContainer;
  /** `navigator.locks` */
  readonly locks: LockManager;
  /** Of the registration, as a URL. */
  readonly scope: string;
}

/** Resolves when the service worker can find this page. @returns what ends that, and the running answers with it */
export async function offerAnswers(
  handler: RequestHandler,
  { container, locks, scope }: OffersOptions,
): Promise<() => void> {
  const lock = newServingLock(scope);
  const running = new Set<() => void>();
  const life = new AbortController();

  container.addEventListener(
    "message",
    ({ data, ports: [port], source }) => {
      if (!port || !isAsk(data, scope)) return;
      const keepAwake = () => source?.postMessage(note("stay"));
      offer(port, keepAwake);
    },
    { signal: life.signal },
  );
  container.startMessages();

  function offer(port: MessagePort, keepAwake: () => void): void {
    port.onmessage = ({ data }: MessageEvent<unknown>) => {
      const message = readToPage(data);
      if (message?.type !== "request" || life.signal.aborted) return port.close();
      const onEnd = () => running.delete(stop);
      const stop = startAnswer(message, { handler, port, locks, keepAwake, onEnd });
      running.add(stop);
    };
    port.postMessage({ type: "offer", lock } satisfies FromPage);
  }

  // Last: who sees the lock relies on an answer.
  const release = await holdLock(locks, lock);
  return () => {
    life.abort();
    for (const stop of running) stop();
    release();
  };
}
