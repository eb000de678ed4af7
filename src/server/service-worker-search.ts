// Which page answers? The service worker remembers nothing, since the browser may end it at any time: it asks, each time.
import { abortedError, EngineError } from "../base/errors.ts";
import { ask, readFromPage, servingLockPrefix, type ToPage } from "./service-worker-messages.ts";

/** What a service worker has to find pages with. */
export interface PageSearch {
  readonly clients: WindowClients;
  readonly locks: LockManager;
  /** Of the registration, as a URL. */
  readonly scope: string;
}

/** The part of a service worker's `clients` that is used here; the DOM's types do not have it. */
export interface WindowClients {
  matchAll(options: { type: "window"; includeUncontrolled: true }): Promise<readonly WindowClient[]>;
  /** Of whatever kind; undefined when it is no more. */
  get(id: string): Promise<unknown>;
}

export interface WindowClient {
  readonly id: string;
  postMessage(message: unknown, transfer: Transferable[]): void;
}

/** A page that has offered to answer one request. */
export interface OfferingPage {
  readonly port: MessagePort;
  /** Which the page holds while it lives and serves. */
  readonly lock: string;
}

/** So often it is looked whether those who are waited for, or who wait, are still there. */
export const LOOK_MS = 1_000;
/** A page may be busy and answer late, but not as late as this. */
const PATIENCE_MS = 30_000;

/**
 * The first page that offers. Silence says nothing: most pages have no engine, and one that has may be busy. The locks say
 * whether it is worth waiting.
 * @throws EngineError `model_not_loaded`, `aborted`
 */
export async function findPage(search: PageSearch, signal: AbortSignal): Promise<OfferingPage> {
  const prefix = servingLockPrefix(search.scope);
  const asked = new Map<string, MessagePort>();
  const over = new AbortController();
  let chosen: OfferingPage | undefined;
  let looking: ReturnType<typeof setTimeout> | undefined;

  try {
    return await new Promise<OfferingPage>((resolve, reject) => {
      const onAbort = () => reject(abortedError(signal));
      if (signal.aborted) return onAbort();
      signal.addEventListener("abort", onAbort, { signal: over.signal });
      const offered = (page: OfferingPage) => {
        chosen ??= page;
        resolve(page);
      };
      const look = async (waitedMs: number) => {
        if (!(await isAnyLockHeld(search.locks, prefix))) throw noPage();
        if (waitedMs >= PATIENCE_MS) throw busyPage();
        const windows = await search.clients.matchAll({ type: "window", includeUncontrolled: true });
        if (over.signal.aborted) return;
        // Each time also those that have come since.
        for (const client of windows) {
          if (!asked.has(client.id)) asked.set(client.id, askClient(client, search.scope, prefix, offered));
        }
        looking = setTimeout(() => look(waitedMs + LOOK_MS).catch(reject), LOOK_MS);
      };
      look(0).catch(reject);
    });
  } finally {
    over.abort();
    clearTimeout(looking);
    for (const port of asked.values()) if (port !== chosen?.port) leave(port);
  }
}

function askClient(
  client: WindowClient,
  scope: string,
  lockPrefix: string,
  offered: (page: OfferingPage) => void,
): MessagePort {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = ({ data }: MessageEvent<unknown>) => {
    const message = readFromPage(data);
    if (message?.type === "offer" && message.lock.startsWith(lockPrefix)) offered({ port: port1, lock: message.lock });
  };
  client.postMessage(ask(scope), [port2]);
  return port1;
}

function leave(port: MessagePort): void {
  port.postMessage({ type: "leave" } satisfies ToPage);
  port.close();
}

/** Pages hold theirs alone; those who wait for a page's end get it shared, for a moment. */
async function isAnyLockHeld(locks: LockManager, prefix: string): Promise<boolean> {
  const { held } = await locks.query();
  return held?.some(({ name, mode }) => mode === "exclusive" && name?.startsWith(prefix)) ?? false;
}

function noPage(): EngineError {
  return new EngineError(
    "model_not_loaded",
    "No open page of this site holds an engine. Open one that does, leave it open, and send the request again.",
  );
}

function busyPage(): EngineError {
  return new EngineError(
    "model_not_loaded",
    `A page holds an engine, but has not answered for ${PATIENCE_MS / 1_000} s. Look whether it hangs, or reload it.`,
  );
}
