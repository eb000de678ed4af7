// A file that exists as a header only, followed by zeros up to its size, and that counts what is asked of it.

import { type ByteSource, checkRange } from "../../src/storage/byte-source.ts";

export interface CountingSource extends ByteSource {
  /** Bytes asked for in all, and in the largest read. */
  readonly asked: number;
  readonly largest: number;
  readonly reads: number;
}

export function countingSource(header: Uint8Array, size = header.length): CountingSource {
  let [asked, largest, reads] = [0, 0, 0];
  return {
    name: "test.gguf",
    size,
    async read(offset, length) {
      checkRange("test.gguf", size, offset, length);
      asked += length;
      largest = Math.max(largest, length);
      reads++;
      const bytes = new Uint8Array(length);
      bytes.set(header.subarray(Math.min(offset, header.length), Math.min(offset + length, header.length)));
      return bytes;
    },
    get asked() {
      return asked;
    },
    get largest() {
      return largest;
    },
    get reads() {
      return reads;
    },
  };
}
