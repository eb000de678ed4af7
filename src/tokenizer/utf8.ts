// UTF-8, where TextEncoder and TextDecoder do not reach: words encoded in place with their hash, and characters cut at the end.

import { hashBytes } from "./byte-table.ts";

/** One word at a time as UTF-8, in memory that is used again. */
export interface WordBytes {
  readonly bytes: Uint8Array;
  readonly length: number;
  /** As `hashBytes` gives it. */
  readonly hash: number;
  /** Encodes text[from .. to); a lone surrogate becomes U+FFFD, as in TextEncoder. */
  load(text: string, from: number, to: number): void;
}

const KEPT_BYTES = 1 << 16; // a longer word gives its memory back at the next one

/** @param marksSpaces whether a space is encoded as U+2581, as SentencePiece has it */
export function createWordBytes(marksSpaces: boolean): WordBytes {
  let bytes = new Uint8Array(256);
  let length = 0;
  let hash = 0;
  return {
    get bytes() {
      return bytes;
    },
    get length() {
      return length;
    },
    get hash() {
      return hash;
    },
    load(text, from, to) {
      const needed = (to - from) * 3;
      if (needed > bytes.length || (bytes.length > KEPT_BYTES && needed <= KEPT_BYTES))
        bytes = new Uint8Array(Math.max(256, needed));
      let at = 0;
      for (let i = from; i < to; i++) {
        let point = text.charCodeAt(i);
        if (point === 0x20 && marksSpaces) point = 0x2581;
        if (point < 0x80) {
          bytes[at++] = point;
          continue;
        }
        if ((point & 0xf800) === 0xd800) {
          const low = point < 0xdc00 && i + 1 < to ? text.charCodeAt(i + 1) : 0;
          if ((low & 0xfc00) === 0xdc00) {
            point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
            i++;
          } else point = 0xfffd;
        }
        if (point < 0x800) bytes[at++] = 0xc0 | (point >> 6);
        else {
          if (point < 0x10000) bytes[at++] = 0xe0 | (point >> 12);
          else {
            bytes[at++] = 0xf0 | (point >> 18);
            bytes[at++] = 0x80 | ((point >> 12) & 0x3f);
          }
          bytes[at++] = 0x80 | ((point >> 6) & 0x3f);
        }
        bytes[at++] = 0x80 | (point & 0x3f);
      }
      length = at;
      hash = hashBytes(bytes, 0, at);
    },
  };
}

/** Bytes of the character that starts with `lead`; 1 for a byte that starts none. */
export function sequenceLength(lead: number): number {
  return lead < 0xc2 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 1;
}

/**
 * How many bytes at the end are the beginning of a character that may still become whole, 0 to 3.
 * Follows the well-formed sequences of the Unicode Standard, table 3-7: a beginning that nothing can complete is not one.
 */
export function incompleteTail(bytes: Uint8Array): number {
  for (let held = 1; held <= 3 && held <= bytes.length; held++) {
    const at = bytes.length - held;
    const lead = bytes[at]!;
    if ((lead & 0xc0) === 0x80) continue;
    if (sequenceLength(lead) <= held) return 0;
    return held === 1 || secondByteFits(lead, bytes[at + 1]!) ? held : 0;
  }
  return 0;
}

function secondByteFits(lead: number, second: number): boolean {
  switch (lead) {
    case 0xe0:
      return second >= 0xa0;
    case 0xed:
      return second < 0xa0;
    case 0xf0:
      return second >= 0x90;
    case 0xf4:
      return second < 0x90;
    default:
      return true; // a continuation byte, which the caller has seen
  }
}
