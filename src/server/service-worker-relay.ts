// The service worker's side of the bridge: a request goes to a page that holds an engine, and its answer comes back as it is
// read. Whatever happens to the page, the answer ends.
import { abortedError, EngineError } from "../base/errors.ts";
import { holdLock, whenReleased } from "../base/held-lock.ts";
import { PendingCalls } from "../base/pending.ts";
import { newRequestId } from "./exchange.ts";
import { errorResponse, failureOf } from "./failure.ts";
import {
  baseURLOf,
  type FromPage,
  type HeadMessage,
  newAnswerLock,
  readFromPage,
  type ToPage,
} from "./service-worker-messages.ts";
import { findPage, LOOK_MS, type OfferingPage, type PageSearch, type WindowClients } from "./service-worker-search.ts";
import { encodeEvent } from "./sse.ts";

/** Everything else is left to the network. A scope takes what starts as it does, so this is true of one origin only. */
export function isApiRequest(url: string, scope: string): boolean {
  return url.startsWith(`${baseURLOf(scope)}/`);
}

export interface Relayed {
  /** Rejects only when the request's signal has fired. */
  readonly response: Promise<Response>;
  /** Resolves when the body has been read to its end, or nobody reads it any more. */
  readonly ended: Promise<void>;
}

/** @param callerId the client that asks, where there is one: the event's `clientId` */
export function relay(request: Request, callerId: string, search: PageSearch): Relayed {
  const life = new AbortController();
  const ended = new Promise<void>((resolve) => {
    life.signal.addEventListener("abort", () => resolve());
  });
  const unwatch = watchCaller(request.signal, callerId, search.clients, () => life.abort());
  const response = forward(request, search, life)
    .catch((error) => {
      life.abort();
      if (request.signal.aborted) throw request.signal.reason;
      return errorResponse(error);
    })
    .finally(unwatch);
  return { response, ended };
}

/**
 * Until the response begins; after that a caller who leaves cancels its body. Chromium does not fire the signal of a request
 * that was given up this early, so that its response, once begun, is what ends the work; but that the caller's page was
 * closed can be seen.
 * @returns what ends the watch
 */
function watchCaller(signal: AbortSignal, id: string, clients: WindowClients, gone: () => void): () => void {
  if (signal.aborted) gone();
  signal.addEventListener("abort", gone);
  const look = async () => {
    if (id !== "" && !(await clients.get(id))) gone();
  };
  const looking = setInterval(() => look().catch(ignore), LOOK_MS);
  return () => clearInterval(looking);
}

/** @param life aborted when the answer has ended, or the caller has left */
async function forward(request: Request, search: PageSearch, life: AbortController): Promise<Response> {
  const page = await findPage(search, life.signal);
  const exchange = await openExchange(page, search.locks, life.signal);
  const { method, url, headers } = request;
  const body = method === "GET" || method === "HEAD" ? null : await request.blob();
  const head = await exchange.ask({ type: "request", lock: exchange.lock, method, url, headers: [...headers], body });
  if (head.type !== "head") throw notAnAnswer();
  if (!head.hasBody) life.abort();
  return new Response(head.hasBody ? bodyOf(head, exchange, life) : null, head);
}

interface Exchange {
  /** Held until the answer has ended. */
  readonly lock: string;
  /** One message there, one back. Rejects when the page fails, or is no more, or the answer has ended. */
  ask(message: ToPage): Promise<FromPage>;
}

async function openExchange(page: OfferingPage, locks: LockManager, life: AbortSignal): Promise<Exchange> {
  const lock = newAnswerLock();
  const { port } = page;
  const release = await holdLock(locks, lock);
  const calls = new PendingCalls();
  let deliver: (message: FromPage) => void = ignore;

  port.onmessage = ({ data }: MessageEvent<unknown>) => {
    const message = readFromPage(data);
    if (!message) calls.fail(notAnAnswer());
    else if (message.type === "failed") calls.fail(pageFailed());
    else deliver(message);
  };
  whenReleased(locks, page.lock, life, () => calls.fail(pageEnded()));
  const end = () => {
    calls.fail(abortedError(life));
    port.postMessage({ type: "leave" } satisfies ToPage);
    port.close();
    release();
  };
  if (life.aborted) end();
  else life.addEventListener("abort", end);
  return {
    lock,
    ask: (message) =>
      calls.track(
        new Promise((resolve) => {
          deliver = resolve;
          port.postMessage(message);
        }),
      ),
  };
}

/** Asks for a chunk a read. What goes wrong in a stream of events becomes its last event; any other body fails. */
function bodyOf({ headers }: HeadMessage, exchange: Exchange, life: AbortController): ReadableStream<Uint8Array> {
  const isEventStream = new Headers(headers).get("content-type")?.startsWith("text/event-stream") ?? false;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const message = await exchange.ask({ type: "pull" });
          if (message.type === "chunk") return controller.enqueue(message.bytes);
          if (message.type !== "done") throw notAnAnswer();
          controller.close();
        } catch (error) {
          // The caller has left, and his answer must not look like a whole one.
          if (life.signal.aborted || !isEventStream) controller.error(error);
          else {
            controller.enqueue(encodeEvent({ error: failureOf(error, newRequestId()).error }));
            controller.close();
          }
        }
        life.abort();
      },
      cancel: () => life.abort(),
    },
    { highWaterMark: 0 },
  );
}

function pageEnded(): EngineError {
  return new EngineError(
    "disposed",
    "The page that was answering serves no longer: it was closed, reloaded, crashed, or has given up its engine. Open it " +
      "again, and send the request again.",
  );
}

function pageFailed(): Error {
  return new Error(
    "The request failed because of a bug in the engine. The console of the page that holds it has more.",
  );
}

function notAnAnswer(): EngineError {
  return new EngineError(
    "model_not_loaded",
    "The page that holds the engine sent what is no answer: it may be of another version. Reload it.",
  );
}

function ignore(): void {}
