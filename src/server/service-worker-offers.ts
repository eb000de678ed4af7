// A page that serves: it offers to answer whatever the service worker of its scope asks for.
import { holdLock } from "../base/held-lock.ts";
import { type RequestHandler, type RunningAnswer, startAnswer } from "./service-worker-answer.ts";
import { type FromPage, isAsk, newServingLock, note, readToPage } from "./service-worker-messages.ts";

export interface OffersOptions {
  /** `navigator.serviceWorker` */
  readonly container: ServiceWorkerContainer;
  /** `navigator.locks` */
  readonly locks: LockManager;
  /** Of the registration, as a URL. */
  readonly scope: string;
}

/** Resolves when the service worker can find this page. @returns what ends it, and the running answers with an error */
export async function offerAnswers(
  handler: RequestHandler,
  { container, locks, scope }: OffersOptions,
): Promise<() => void> {
  const lock = newServingLock(scope);
  const running = new Set<RunningAnswer>();
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
      if (message?.type !== "request") return port.close();
      const onEnd = () => running.delete(answer);
      const answer = startAnswer(message, { handler, port, locks, keepAwake, onEnd });
      running.add(answer);
      if (life.signal.aborted) answer.stop();
    };
    port.postMessage({ type: "offer", lock } satisfies FromPage);
  }

  // Last: who sees the lock relies on an answer.
  const release = await holdLock(locks, lock);
  return () => {
    life.abort();
    for (const answer of running) answer.stop();
    release();
  };
}
