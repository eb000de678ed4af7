// A remote file read in chunks of 16 MiB, each kept on disk as it arrives. At most two chunks are in memory: the one being
// read and, once the body is under way, the one after it.

import { abortedError, EngineError } from "../base/errors.ts";
import { toHex } from "../base/sha256.ts";
import { untilAbort } from "../base/until-abort.ts";
import { type ByteSource, checkRange } from "./byte-source.ts";
import type { ChunkStore } from "./chunk-store.ts";
import { sourceChanged } from "./http-answer.ts";
import type { HttpSource } from "./http-source.ts";
import { CHUNK_BYTES, identityOf } from "./weights-identity.ts";

export interface DownloadProgress {
  /** Bytes at hand, `cachedBytes` included. */
  readonly bytes: number;
  /** Bytes of the file. */
  readonly total: number;
  /** Bytes that were on disk already. */
  readonly cachedBytes: number;
}
export type OnProgress = (progress: DownloadProgress) => void;

export interface Expected {
  /** SHA-256 of the whole file, in hexadecimal digits. */
  readonly sha256: string;
}

export interface CachedSource extends ByteSource {
  readonly url: string;
  /** The whole file is kept and verified; when true from the start, no network is used. */
  readonly complete: boolean;
  /** Why the file is not kept, for a person to read; undefined while it is. */
  readonly note: string | undefined;
  /** Says that the header was accepted: from now on reads fetch whole chunks, and the next one ahead of time. */
  startBody(): void;
  /**
   * Fetches what was not read, reads all back from the disk, checks it and marks it whole. Where nothing is kept it only
   * checks the expected SHA-256.
   * @throws EngineError `integrity_mismatch`, and what reads throw
   */
  finish(signal?: AbortSignal): Promise<void>;
  /** The identity of the weights (weights-identity.ts), once every chunk is kept; undefined before. */
  identity(): Promise<string | undefined>;
  /** Ends all requests and gives up the lock on the file; reads fail from then on. */
  close(): void;
}

export interface CachedSourceParts {
  url: string;
  size: number;
  connect(): Promise<HttpSource>;
  http?: HttpSource;
  store?: ChunkStore;
  note?: string;
  options: { onProgress?: OnProgress; expected?: Expected };
}

const CHUNKS_HELD = 2;
const PROGRESS_STEP = 1024 * 1024;

export function createCachedSource(parts: CachedSourceParts): CachedSource {
  return new Cached(parts);
}

class Cached implements CachedSource {
  readonly url: string;
  readonly name: string;
  readonly size: number;
  note: string | undefined;
  readonly #parts: CachedSourceParts;
  readonly #cachedBytes: number;
  readonly #closed = new AbortController();
  /** By index, the latest last. */
  readonly #chunks = new Map<number, Promise<Uint8Array>>();
  #http: Promise<HttpSource> | undefined;
  #store: ChunkStore | undefined;
  #bodyStarted = false;
  /** What the header reads brought, from the file's start: the first chunk need not fetch it again. */
  #head: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  #fetchedBytes = 0;
  #reportedBytes = 0;
  /** Of the chunks read in order, where a file cannot be read back because it is not kept. */
  #inOrder: { hash: StreamingHash; count: number } | undefined;

  constructor(parts: CachedSourceParts) {
    this.#parts = parts;
    this.url = parts.url;
    this.name = parts.http?.name ?? (parts.url.replace(/[?#].*$/, "").replace(/^.*\//, "") || parts.url);
    this.size = parts.size;
    this.note = parts.note;
    this.#store = parts.store;
    this.#http = parts.http && Promise.resolve(parts.http);
    this.#cachedBytes = parts.store?.keptBytes ?? 0;
    this.#report(true);
  }

  get complete(): boolean {
    return this.#store?.manifest.complete ?? false;
  }

  startBody(): void {
    this.#bodyStarted = true;
  }

  async read(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    checkRange(this.name, this.size, offset, length);
    this.#refuseClosed();
    const first = Math.floor(offset / CHUNK_BYTES);
    const end = Math.ceil((offset + length) / CHUNK_BYTES);
    if (!this.#bodyStarted && !this.#keeps(first, end)) return this.#readHead(offset, length, signal);
    const target = new Uint8Array(length);
    for (let index = first; index < end; index++) {
      const start = index * CHUNK_BYTES;
      const chunk = await untilAbort(this.#chunk(index), signal);
      await this.#hashInOrder(index, chunk);
      const from = Math.max(offset, start);
      target.set(chunk.subarray(from - start, offset + length - start), from - offset);
    }
    if (this.#bodyStarted && end * CHUNK_BYTES < this.size) {
      this.#chunk(end).catch(() => {}); // whoever reads it is told
    }
    return target;
  }

  async finish(signal?: AbortSignal): Promise<void> {
    this.#refuseClosed();
    this.startBody();
    const wanted = this.#parts.options.expected?.sha256.toLowerCase();
    if (this.complete && (wanted === undefined || this.#store?.manifest.sha256 === wanted)) return;
    const count = Math.ceil(this.size / CHUNK_BYTES);
    for (let index = 0; index < count && this.#store; index++) {
      if (!this.#store.has(index)) await this.read(index * CHUNK_BYTES, 1, signal);
    }
    this.#chunks.clear();
    const actual = this.#store ? await this.#readBack(wanted !== undefined, signal) : undefined;
    if (this.#store) {
      if (wanted !== undefined && actual !== wanted) throw await this.#mismatch(wanted, actual!);
      await this.#store.complete(actual ?? null).catch((error: unknown) => this.#dropStore(error));
    } else if (wanted !== undefined) {
      // What was read in order is hashed already; the rest, if any, is fetched for it.
      for (let index = this.#inOrder?.count ?? 0; index < count; index++) {
        await this.read(index * CHUNK_BYTES, 1, signal);
      }
      const digest = this.#inOrder!.hash.digest();
      if (toHex(digest) !== wanted) throw await this.#mismatch(wanted, toHex(digest));
    }
  }

  async identity(): Promise<string | undefined> {
    const digests = this.#store?.manifest.digests.filter((digest) => digest !== null);
    return digests?.length === this.#store?.chunkCount && digests ? identityOf(digests) : undefined;
  }

  close(): void {
    this.#closed.abort();
    this.#chunks.clear();
    this.#store?.close();
    this.#http?.then((http) => http.close()).catch(() => {}); // it failed to open: nothing to end
  }

  #keeps(first: number, end: number): boolean {
    for (let index = first; index < end; index++) if (!this.#store?.has(index)) return false;
    return true;
  }

  async #readHead(offset: number, length: number, signal: AbortSignal | undefined): Promise<Uint8Array<ArrayBuffer>> {
    const http = await this.#connect();
    const bytes = await http.read(offset, length, signal);
    const end = offset + length;
    if (offset === this.#head.length && end <= CHUNK_BYTES) {
      const head = new Uint8Array(end);
      head.set(this.#head);
      head.set(bytes, offset);
      this.#head = head;
    }
    return bytes;
  }

  #chunk(index: number): Promise<Uint8Array> {
    const held = this.#chunks.get(index);
    if (held) {
      this.#chunks.delete(index); // and in again, as the latest
      this.#chunks.set(index, held);
      return held;
    }
    for (const oldest of this.#chunks.keys()) {
      if (this.#chunks.size < CHUNKS_HELD) break;
      this.#chunks.delete(oldest);
    }
    const loading = this.#load(index);
    this.#chunks.set(index, loading);
    loading.catch(() => {
      if (this.#chunks.get(index) === loading) this.#chunks.delete(index); // the next read tries again
    });
    return loading;
  }

  async #load(index: number): Promise<Uint8Array> {
    try {
      const kept = await this.#store?.read(index);
      if (kept) return kept;
    } catch (error) {
      await this.#dropStore(error);
    }
    const bytes = await this.#fetch(index);
    const store = this.#store;
    if (!store || this.#closed.signal.aborted) return bytes;
    let accepted = true;
    try {
      accepted = await store.write(index, bytes);
    } catch (error) {
      await this.#dropStore(error);
    }
    if (!accepted) throw await this.#mismatch(store.manifest.digests[index]!, "another one for the same chunk");
    return bytes;
  }

  async #fetch(index: number): Promise<Uint8Array<ArrayBuffer>> {
    const http = await this.#connect();
    const start = index * CHUNK_BYTES;
    const bytes = new Uint8Array(Math.min(CHUNK_BYTES, this.size - start));
    const head = index === 0 ? this.#head : this.#head.subarray(0, 0);
    bytes.set(head);
    const arrived = (count: number) => {
      this.#fetchedBytes += count;
      this.#report(false);
    };
    arrived(head.length);
    await http.readInto(bytes.subarray(head.length), start + head.length, this.#closed.signal, arrived);
    if (index === 0) this.#head = new Uint8Array(0);
    return bytes;
  }

  /** The connection; when a kept file needs repair it is opened only now, and must lead to the same version. */
  async #connect(): Promise<HttpSource> {
    this.#http ??= this.#parts.connect();
    const opening = this.#http;
    const http = await opening.catch((error: unknown) => {
      if (this.#http === opening) this.#http = undefined;
      throw error;
    });
    const manifest = this.#store?.manifest;
    if (http.size !== this.size || (manifest && manifest.version !== (http.version ?? null))) {
      await this.#store?.remove();
      throw sourceChanged(this.url, "the kept copy is of another version");
    }
    return http;
  }

  /** Reads every chunk from the disk, fetching again what does not match, and hashes them when asked to. */
  async #readBack(hashed: boolean, signal: AbortSignal | undefined): Promise<string | undefined> {
    const hash = hashed ? await streamingHash() : undefined;
    for (let index = 0; this.#store && index < this.#store.chunkCount; index++) {
      let bytes: Uint8Array | undefined;
      try {
        bytes = await untilAbort(this.#store.read(index), signal);
      } catch (error) {
        if (signal?.aborted) throw error;
        await this.#dropStore(error);
      }
      bytes ??= await untilAbort(this.#load(index), signal);
      hash?.update(bytes);
    }
    return hash && toHex(hash.digest());
  }

  async #hashInOrder(index: number, chunk: Uint8Array): Promise<void> {
    if (!this.#parts.options.expected || index !== (this.#inOrder?.count ?? 0)) return;
    this.#inOrder ??= { hash: await streamingHash(), count: 0 };
    if (index !== this.#inOrder.count) return; // another read came first while the hash was loaded
    this.#inOrder.count++;
    this.#inOrder.hash.update(chunk);
  }

  /** Goes on without the disk. */
  async #dropStore(error: unknown): Promise<void> {
    const store = this.#store;
    if (!store) return;
    this.#store = undefined;
    this.note = `not kept: ${error instanceof Error ? error.message : String(error)}`;
    await store.remove(); // half a file would only take the space that is missing
  }

  async #mismatch(expected: string, actual: string): Promise<EngineError<"integrity_mismatch">> {
    await this.#store?.remove();
    this.#store = undefined;
    return new EngineError(
      "integrity_mismatch",
      `${this.name} is not the file that was expected: SHA-256 ${expected}, found ${actual}. It was removed; load it again.`,
      { details: { expected, actual } },
    );
  }

  #refuseClosed(): void {
    if (this.#closed.signal.aborted) throw abortedError(this.#closed.signal);
  }

  #report(always: boolean): void {
    const { onProgress } = this.#parts.options;
    if (!onProgress) return;
    const bytes = Math.min(this.size, this.#cachedBytes + this.#fetchedBytes);
    if (!always && bytes - this.#reportedBytes < PROGRESS_STEP && (bytes < this.size || bytes === this.#reportedBytes))
      return;
    this.#reportedBytes = bytes;
    onProgress({ bytes, total: this.size, cachedBytes: this.#cachedBytes });
  }
}

interface StreamingHash {
  update(bytes: Uint8Array): unknown;
  digest(): Uint8Array;
}

/** Fetched only where a published SHA-256 is to be checked; crypto.subtle has no streaming form. */
async function streamingHash(): Promise<StreamingHash> {
  const { sha256 } = await import("@noble/hashes/sha2.js");
  return sha256.create();
}
