// AsyncIterable over a port, pulled: each `next` is one message there and one back, so nothing piles up on the way.
import { type ErrorRecord, fromErrorRecord, toErrorRecord } from "./error.ts";

type Pull = "next" | "return";
type Answer<T> = { readonly result: IteratorResult<T, undefined> } | { readonly error: ErrorRecord };

/** The port to send. The far side's `return`, or its end, ends the iteration here. */
export function sendIterable<T>(iterable: AsyncIterable<T>): MessagePort {
  const { port1, port2 } = new MessageChannel();
  const iterator = iterable[Symbol.asyncIterator]();
  port1.onmessage = async ({ data }: MessageEvent<Pull>) => {
    try {
      const result = data === "next" ? await iterator.next() : await iterator.return?.();
      if (result && !result.done) return port1.postMessage({ result: { done: false, value: result.value } });
      port1.postMessage({ result: { done: true, value: undefined } });
    } catch (error) {
      port1.postMessage({ error: toErrorRecord(error) });
    }
    port1.close();
  };
  return port2;
}

/** An iterator that was thrown away unread still ends the work at the other side. */
const abandoned = new FinalizationRegistry<MessagePort>((port) => {
  port.postMessage("return" satisfies Pull);
  port.close();
});

export function receiveIterable<T>(port: MessagePort): AsyncIterableIterator<T, undefined> {
  const waiting: { resolve(result: IteratorResult<T, undefined>): void; reject(error: Error): void }[] = [];
  let ended = false;

  const end = () => {
    ended = true;
    port.close();
    for (const { resolve } of waiting.splice(0)) resolve({ done: true, value: undefined });
  };
  port.onmessage = ({ data }: MessageEvent<Answer<T>>) => {
    const first = waiting.shift();
    if ("error" in data) {
      first?.reject(fromErrorRecord(data.error));
      end();
    } else {
      first?.resolve(data.result);
      if (data.result.done) end();
    }
  };

  const pull = (what: Pull): Promise<IteratorResult<T, undefined>> => {
    if (ended) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve, reject) => {
      waiting.push({ resolve, reject });
      port.postMessage(what);
    });
  };
  const iterator: AsyncIterableIterator<T, undefined> = {
    next: () => pull("next"),
    return: () => pull("return"),
    [Symbol.asyncIterator]: () => iterator,
  };
  abandoned.register(iterator, port);
  return iterator;
}
