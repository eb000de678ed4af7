// The body of a streamed answer: chunks become events as they are read, and no sooner.
import type { ChatCompletionChunk } from "../api/types.ts";
import type { Exchange } from "./exchange.ts";
import { failureOf } from "./failure.ts";
import { DONE_EVENT, encodeEvent } from "./sse.ts";

export interface StreamedChunks {
  /** What `rest` gave first. */
  readonly first: IteratorResult<ChatCompletionChunk, unknown>;
  /** Its `return()` ends the engine's work, also while a `next()` is pending. */
  readonly rest: AsyncIterator<ChatCompletionChunk, unknown>;
}

/**
 * Pulls one chunk a read: what a slow reader leaves lying waits in the engine's own bounded queue. A failure becomes one
 * frame with the error, and the body ends without [DONE]. A cancelled body, one that nobody holds any more, and `signal` end
 * the engine's work; after the signal the body fails with its reason, since a cut answer must not look like a whole one.
 */
export function eventBody(
  { first, rest }: StreamedChunks,
  signal: AbortSignal | undefined,
  exchange: Exchange,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  let unfollow: () => void = () => {};

  const leave: Leave = async () => {
    unfollow();
    exchange.end(200, "aborted");
    await rest.return?.();
  };

  function put(controller: Controller, result: StreamedChunks["first"]): void {
    if (result.done) end(controller, DONE_EVENT);
    else {
      exchange.saw(result.value);
      controller.enqueue(encodeEvent(result.value));
    }
  }

  function end(controller: Controller, event: Uint8Array<ArrayBuffer>, errorCode?: string): void {
    unfollow();
    controller.enqueue(event);
    controller.close();
    exchange.end(200, errorCode);
  }

  const source: Source = {
    start(controller) {
      this.controller = controller;
      if (signal) unfollow = failOnAbort(this, signal, leave);
      if (!signal?.aborted) put(controller, first);
    },
    async pull(controller) {
      try {
        const result = await rest.next();
        if (!exchange.ended) put(controller, result);
      } catch (error) {
        if (signal?.aborted) throw signal.reason;
        if (exchange.ended) return;
        void rest.return?.(); // for a chunk that could not be written: the engine would go on
        const failure = failureOf(error, exchange.requestId);
        end(controller, encodeEvent({ error: failure.error }), failure.error.code ?? undefined);
      }
    },
    cancel: leave,
  };
  abandoned.register(source, leave);
  return new ReadableStream(source, { highWaterMark: 0 });
}

type Controller = ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>;
type Leave = () => Promise<void>;

/**
 * What the body reads from. The body holds it, and nothing that outlives the body may: whether somebody still holds the body is
 * known by it. The body itself would not do: Chromium collects the JavaScript side of a stream, and of its controller, while
 * the stream is being read, and makes another when somebody asks.
 */
interface Source extends UnderlyingDefaultSource<Uint8Array<ArrayBuffer>> {
  controller?: Controller;
}

/**
 * A response that was thrown away unread still ends the work behind it. Until then that work stands still: its sequence is
 * parked when the queue is full.
 */
const abandoned = new FinalizationRegistry<Leave>((leave) => void leave());

/** @returns what ends the watch */
function failOnAbort(source: Source, signal: AbortSignal, leave: Leave): () => void {
  const held = new WeakRef(source);
  const onAbort = () => {
    held.deref()?.controller?.error(signal.reason);
    void leave();
  };
  if (signal.aborted) onAbort();
  else signal.addEventListener("abort", onAbort, { once: true });
  return () => signal.removeEventListener("abort", onAbort);
}
