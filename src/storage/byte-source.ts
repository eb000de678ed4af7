// Where bytes come from: one interface over HTTP ranges, files, OPFS and memory. A source is immutable while it is open.

import { EngineError, throwIfAborted } from "../base/errors.ts";
import { invariant } from "../base/invariant.ts";

/** Random access to an immutable run of bytes. */
export interface ByteSource {
  /** What a person would call it: a file name or URL, for messages only. */
  readonly name: string;
  /** Total length in bytes. */
  readonly size: number;
  /**
   * Exactly `length` bytes from `offset`; the caller owns the returned array.
   * @throws EngineError `download_failed`, `source_changed`, `storage_unavailable`, `aborted`
   */
  read(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>>;
}

/** A model as one or more GGUF files, with room for what belongs to it. */
export interface ModelSource {
  /** One file, or the parts of a split model in any order. */
  readonly files: readonly ByteSource[];
  /** An image or audio tower (projector). */
  readonly mmproj?: ByteSource;
  /** LoRA adapters. */
  readonly adapters?: readonly ByteSource[];
}

/** Bytes that are in memory already. */
export function memorySource(bytes: Uint8Array, name = "memory"): ByteSource {
  return {
    name,
    size: bytes.byteLength,
    async read(offset, length, signal) {
      throwIfAborted(signal);
      checkRange(name, bytes.byteLength, offset, length);
      return bytes.slice(offset, offset + length) as Uint8Array<ArrayBuffer>;
    },
  };
}

/** A Blob, or a File that someone picked or dropped. */
export function blobSource(blob: Blob, name = blob instanceof File ? blob.name : "blob"): ByteSource {
  return {
    name,
    size: blob.size,
    async read(offset, length, signal) {
      throwIfAborted(signal);
      checkRange(name, blob.size, offset, length);
      const bytes = new Uint8Array(await readBlob(blob.slice(offset, offset + length), name));
      throwIfAborted(signal);
      if (bytes.byteLength !== length) throw changedFile(name);
      return bytes;
    },
  };
}

/** A read outside of a source is a bug of its caller, whatever the source. */
export function checkRange(name: string, size: number, offset: number, length: number): void {
  invariant(
    Number.isSafeInteger(offset) &&
      Number.isSafeInteger(length) &&
      offset >= 0 &&
      length >= 0 &&
      offset + length <= size,
    `read of ${length} bytes from ${offset} in ${name}, which has ${size}`,
  );
}

async function readBlob(slice: Blob, name: string): Promise<ArrayBuffer> {
  try {
    return await slice.arrayBuffer();
  } catch (cause) {
    throw changedFile(name, cause); // browsers refuse to read a file that was changed or moved after it was picked
  }
}

function changedFile(name: string, cause?: unknown): EngineError<"source_changed"> {
  return new EngineError("source_changed", `${name} was changed, moved or removed while in use: choose it again.`, {
    cause,
  });
}
