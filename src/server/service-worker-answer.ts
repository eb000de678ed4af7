// A page's side of one request that came from the service worker: the handler's response goes over the port, chunk by chunk,
// as it is asked for.
import { whenReleased } from "../base/held-lock.ts";
import type { RequestHandler } from "./fetch-handler.ts";
import { type FromPage, type RequestMessage, readToPage } from "./service-worker-messages.ts";

export interface AnswerOptions {
  readonly handler: RequestHandler;
  readonly port: MessagePort;
  readonly locks: LockManager;
  /** Called now and then while the answer runs. */
  readonly keepAwake: () => void;
  /** Called once, when the answer has ended in whatever way. */
  readonly onEnd: () => void;
}

/** Browsers end a service worker that has had no event for 30 s, and one event may not last more than some minutes. */
const KEEP_AWAKE_MS = 20_000;

/**
 * The handler's request is aborted when its caller leaves, or the service worker is no more.
 * @returns what ends it for the page's own reasons: the service worker learns of them by the page's lock
 */
export function startAnswer(request: RequestMessage, options: AnswerOptions): () => void {
  const { handler, port, locks, keepAwake, onEnd } = options;
  const life = new AbortController();
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;

  const send = (message: FromPage) => port.postMessage(message);

  function end(last?: FromPage): void {
    if (life.signal.aborted) return;
    life.abort();
    clearInterval(waking);
    if (last) send(last);
    port.close();
    reader?.cancel().catch(ignore);
    onEnd();
  }

  function fail(error: unknown): void {
    if (life.signal.aborted) return;
    console.error("A request from the service worker failed:", error);
    end({ type: "failed" });
  }

  async function respond(): Promise<void> {
    const { url, method, headers, body } = request;
    const response = await handler(new Request(url, { method, headers, body, signal: life.signal }));
    if (life.signal.aborted) return void response.body?.cancel().catch(ignore);
    const hasBody = response.body !== null;
    const { status, statusText } = response;
    const head: FromPage = { type: "head", status, statusText, headers: [...response.headers], hasBody };
    if (response.body === null) return end(head);
    reader = response.body.getReader();
    send(head);
  }

  async function sendChunk(): Promise<void> {
    if (!reader) throw new Error("The service worker asked for a body that there is not yet.");
    const { done, value } = await reader.read();
    if (life.signal.aborted) return;
    if (done) end({ type: "done" });
    else send({ type: "chunk", bytes: ownBytes(value) });
  }

  port.onmessage = ({ data }: MessageEvent<unknown>) => {
    const message = readToPage(data);
    if (message?.type === "pull") sendChunk().catch(fail);
    if (message?.type === "leave") end();
  };
  whenReleased(locks, request.lock, life.signal, () => end());
  const waking = setInterval(keepAwake, KEEP_AWAKE_MS);
  respond().catch(fail);
  return () => end();
}

/** A view is sent with all the memory that it is a view of; the bytes alone are copied out of it. */
function ownBytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer, byteLength } = bytes;
  return buffer instanceof ArrayBuffer && buffer.byteLength === byteLength ? new Uint8Array(buffer) : bytes.slice();
}

function ignore(): void {}
