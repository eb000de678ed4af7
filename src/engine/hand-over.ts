// Chunks to a reader who may be slow: while there is no room, whoever has a chunk is parked.
import type { ChatCompletionChunk } from "../api/types.ts";
import type { Lane } from "./lane.ts";

/** Takes a chunk. A promise back means that the next one has to wait for it. */
export type Deliver = (chunk: ChatCompletionChunk) => Promise<void> | undefined;

/** Hands chunks of one request over, from any of its lanes, and resolves when the lane may go on. */
export type HandOver = (lane: Lane, chunk: ChatCompletionChunk) => Promise<void>;

export function createHandOver(deliver: Deliver): HandOver {
  let room: Promise<void> | undefined;
  return async (lane, chunk) => {
    while (room) await lane.park(room);
    const full = deliver(chunk);
    if (!full) return;
    room = full.then(() => {
      room = undefined;
    });
    await lane.park(room);
  };
}
