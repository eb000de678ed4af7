// A cursor over the start of a file that fetches it in growing pieces and never asks for bytes beyond the file's end.

import type { ByteSource } from "../storage/byte-source.ts";
import { LIMITS, malformed, type Rule } from "./rules.ts";

const FIRST_BYTES = 256 * 1024; // the whole header of a model without a large vocabulary
const MOST_BYTES = 4 * 1024 * 1024;
const keyDecoder = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });
const textDecoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Little-endian reads are synchronous and need `await need(n)` before them, which waits only for bytes not here yet. */
export class HeaderReader {
  readonly name: string;
  readonly #source: ByteSource;
  readonly #signal: AbortSignal | undefined;
  #bytes: Uint8Array = new Uint8Array(0);
  #view = new DataView(this.#bytes.buffer);
  /** Where in the file the window `#bytes` starts. */
  #start = 0;
  #position = 0;
  #nextBytes = FIRST_BYTES;
  #mark: number | undefined;

  constructor(source: ByteSource, signal: AbortSignal | undefined) {
    this.name = source.name;
    this.#source = source;
    this.#signal = signal;
  }

  /** Where the next read starts in the file. */
  get offset(): number {
    return this.#start + this.#position;
  }

  /** Bytes of the file from here on, which no count in the header can exceed. */
  get left(): number {
    return this.#source.size - this.offset;
  }

  /** True when `count` bytes can be read without waiting. */
  has(count: number): boolean {
    return this.#position + count <= this.#bytes.length;
  }

  /** @throws EngineError `model_malformed` when the file or the largest header ends before */
  async need(count: number): Promise<void> {
    if (!this.has(count)) await this.#fetch(count);
  }

  refuse(rule: Rule, found: string, offset = this.offset): never {
    throw malformed(this.name, offset, rule, found);
  }

  /** Refuses an announcement of `count` items of at least `itemBytes` each that the file is too short for. */
  expect(count: number, itemBytes: number, what: string): void {
    if (count * itemBytes > this.left) {
      this.refuse("truncated", `${count} ${what} of at least ${itemBytes} bytes and ${this.left} bytes left`);
    }
  }

  uint8(): number {
    return this.#view.getUint8(this.#advance(1));
  }
  int8(): number {
    return this.#view.getInt8(this.#advance(1));
  }
  uint16(): number {
    return this.#view.getUint16(this.#advance(2), true);
  }
  int16(): number {
    return this.#view.getInt16(this.#advance(2), true);
  }
  uint32(): number {
    return this.#view.getUint32(this.#advance(4), true);
  }
  int32(): number {
    return this.#view.getInt32(this.#advance(4), true);
  }
  float32(): number {
    return this.#view.getFloat32(this.#advance(4), true);
  }
  float64(): number {
    return this.#view.getFloat64(this.#advance(8), true);
  }
  uint64(): bigint {
    return this.#view.getBigUint64(this.#advance(8), true);
  }
  int64(): bigint {
    return this.#view.getBigInt64(this.#advance(8), true);
  }
  /** An unsigned 64-bit integer as a number: exact below 2^53, and never below 2^53 when it is not. */
  count(): number {
    const low = this.uint32();
    return this.uint32() * 2 ** 32 + low;
  }

  /** A copy of the next `length` bytes. */
  take(length: number): Uint8Array<ArrayBuffer> {
    const at = this.#advance(length);
    return this.#bytes.slice(at, at + length) as Uint8Array<ArrayBuffer>;
  }

  /** The next `length` bytes as text; what is not UTF-8 reads as U+FFFD. */
  text(length: number): string {
    const at = this.#advance(length);
    return textDecoder.decode(this.#bytes.subarray(at, at + length));
  }

  /** The next `length` bytes as text, refused by `rule` when they are not UTF-8. */
  strictText(length: number, rule: Rule): string {
    const at = this.#advance(length);
    try {
      return keyDecoder.decode(this.#bytes.subarray(at, at + length));
    } catch {
      this.refuse(rule, `${length} bytes that are not UTF-8`, this.#start + at);
    }
  }

  skip(length: number): void {
    this.#advance(length);
  }

  /** Keeps what is read from here on in memory until `sinceMark`. */
  mark(): void {
    this.#mark = this.offset;
  }

  /** A copy of all bytes since `mark`. */
  sinceMark(): Uint8Array<ArrayBuffer> {
    const from = this.#mark! - this.#start;
    this.#mark = undefined;
    return this.#bytes.slice(from, this.#position) as Uint8Array<ArrayBuffer>;
  }

  #advance(length: number): number {
    const at = this.#position;
    this.#position += length;
    return at;
  }

  async #fetch(count: number): Promise<void> {
    if (count > this.left) this.refuse("truncated", `${count} bytes announced and ${this.left} left`);
    const needed = this.offset + count;
    if (needed > LIMITS.headerBytes) this.refuse("header-size", `a header of at least ${needed} bytes`);
    const end = this.#start + this.#bytes.length;
    const wanted = Math.min(Math.max(needed, end + this.#nextBytes), this.#source.size, LIMITS.headerBytes);
    this.#nextBytes = Math.min(this.#nextBytes * 2, MOST_BYTES);
    const more = await this.#source.read(end, wanted - end, this.#signal);
    const keepFrom = this.#mark ?? this.offset;
    const kept = this.#bytes.subarray(keepFrom - this.#start);
    const joined = new Uint8Array(kept.length + more.length);
    joined.set(kept);
    joined.set(more, kept.length);
    this.#position = this.offset - keepFrom;
    this.#start = keepFrom;
    this.#bytes = joined;
    this.#view = new DataView(joined.buffer);
  }
}
