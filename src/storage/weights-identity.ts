// The identity of weights: the SHA-256 of the SHA-256 digests of a file's 16 MiB chunks. A single chunk can be checked, and
// repaired, by its digest alone, and crypto.subtle, which cannot stream, never needs more than one chunk.

import type { ByteSource } from "./byte-source.ts";

export const CHUNK_BYTES = 16 * 1024 * 1024;

/** The SHA-256 of one chunk as 64 hexadecimal digits. */
export async function digestChunk(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return toHex(await crypto.subtle.digest("SHA-256", bytes));
}

/** The identity of a file from the digests of all its chunks in order. */
export async function identityOf(digests: readonly string[]): Promise<string> {
  const bytes = Uint8Array.from(
    digests.flatMap((digest) => digest.match(/../g)!.map((byte) => Number.parseInt(byte, 16))),
  );
  return toHex(await crypto.subtle.digest("SHA-256", bytes));
}

/** The identity of any source; reads all of it, one chunk at a time. */
export async function weightsIdentity(source: ByteSource, signal?: AbortSignal): Promise<string> {
  const digests: string[] = [];
  for (let offset = 0; offset < source.size; offset += CHUNK_BYTES) {
    const length = Math.min(CHUNK_BYTES, source.size - offset);
    digests.push(await digestChunk(await source.read(offset, length, signal)));
  }
  return identityOf(digests);
}

export function toHex(bytes: ArrayBuffer | Uint8Array): string {
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
