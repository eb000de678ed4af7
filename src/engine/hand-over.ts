// Chunks to a reader who may be slow: while there is no room, whoever has a chunk waits.
import type { ChatCompletionChunk } from "../api/types.ts";

/** Takes a chunk. A promise back means that the next one has to wait for it. */
export type Deliver = (chunk: ChatCompletionChunk) => Promise<void> | undefined;

/** Hands a chunk of a request over, and resolves when whoever made it may go on. `park`: how it waits meanwhile. */
export type HandOver = (chunk: ChatCompletionChunk, park: (room: Promise<void>) => Promise<void>) => Promise<void>;

export function createHandOver(deliver: Deliver): HandOver {
  let room: Promise<void> | undefined;
  return async (chunk, park) => {
    while (room) await park(room);
    const full = deliver(chunk);
    if (!full) return;
    room = full.then(() => {
      room = undefined;
    });
    await park(room);
  };
}
