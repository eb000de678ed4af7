// Remembers the tokens of short words. Of fixed size: a colliding word takes the older one's place, and nothing grows.

import { mix } from "./byte-table.ts";
import type { IdBuffer } from "./id-buffer.ts";

export interface WordCache {
  /** Appends the tokens of a word that is remembered; false when it is not. */
  read(word: Uint8Array, length: number, hash: number, out: IdBuffer): boolean;
  /** Remembers the tokens `out` holds from index `from` on as those of a word. */
  write(word: Uint8Array, length: number, hash: number, out: IdBuffer, from: number): void;
}

const ENTRIES = 1 << 14;
const WAYS = 2; // places where a word may stand
const WORD_BYTES = 32;
const WORD_TOKENS = 12;

export function createWordCache(): WordCache {
  const words = new Uint8Array(ENTRIES * WORD_BYTES);
  const ids = new Int32Array(ENTRIES * WORD_TOKENS);
  const lengths = new Uint8Array(ENTRIES); // 0: free
  const counts = new Uint8Array(ENTRIES);
  const hashes = new Int32Array(ENTRIES);
  let turn = 0;

  return {
    read(word, length, hash, out) {
      if (length > WORD_BYTES) return false;
      const set = mix(hash) & (ENTRIES - WAYS);
      for (let entry = set; entry < set + WAYS; entry++) {
        if (hashes[entry] !== hash || lengths[entry] !== length) continue;
        let i = 0;
        const start = entry * WORD_BYTES;
        while (i < length && words[start + i] === word[i]) i++;
        if (i < length) continue;
        const first = entry * WORD_TOKENS;
        for (let k = 0; k < counts[entry]!; k++) out.push(ids[first + k]!);
        return true;
      }
      return false;
    },
    write(word, length, hash, out, from) {
      const count = out.length - from;
      if (length === 0 || length > WORD_BYTES || count > WORD_TOKENS) return;
      turn ^= 1;
      const entry = (mix(hash) & (ENTRIES - WAYS)) + turn;
      hashes[entry] = hash;
      lengths[entry] = length;
      counts[entry] = count;
      for (let i = 0; i < length; i++) words[entry * WORD_BYTES + i] = word[i]!;
      for (let k = 0; k < count; k++) ids[entry * WORD_TOKENS + k] = out.at(from + k);
    },
  };
}
