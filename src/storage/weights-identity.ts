// The identity of weights: the SHA-256 of the SHA-256 digests of a file's 16 MiB chunks. A single chunk can be checked, and
// repaired, by its digest alone, and crypto.subtle, which cannot stream, never needs more than one chunk.

import { sha256Hex } from "../base/sha256.ts";
import type { ByteSource } from "./byte-source.ts";

export const CHUNK_BYTES = 16 * 1024 * 1024;

/** The identity of a file from the digests of all its chunks in order. */
export async function identityOf(digests: readonly string[]): Promise<string> {
  const bytes = Uint8Array.from(
    digests.flatMap((digest) => digest.match(/../g)!.map((byte) => Number.parseInt(byte, 16))),
  );
  return sha256Hex(bytes);
}

/** The identity of any source; reads all of it, one chunk at a time. */
export async function weightsIdentity(source: ByteSource, signal?: AbortSignal): Promise<string> {
  const digests: string[] = [];
  for (let offset = 0; offset < source.size; offset += CHUNK_BYTES) {
    const length = Math.min(CHUNK_BYTES, source.size - offset);
    digests.push(await sha256Hex(await source.read(offset, length, signal)));
  }
  return identityOf(digests);
}
