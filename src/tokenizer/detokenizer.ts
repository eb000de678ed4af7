// Tokens to text as they come: a character cut between tokens is held back until it is whole, never split.

import { incompleteTail } from "./utf8.ts";

export interface Detokenizer {
  /** The complete characters that this token releases; U+FFFD stands only for bytes that can become no character. */
  push(id: number): string;
  /** Bytes held back, 0 to 3. */
  readonly pending: number;
  /** Ends the text: a character that was cut becomes one U+FFFD. */
  flush(): string;
}

/** What a detokenizer knows of tokens. */
export interface Pieces {
  piece(id: number): Uint8Array;
  /** Whether one space at the start of this token, first in a sequence, was put there by the encoder. */
  hasPrefix(id: number): boolean;
}

const SPACE = 0x20;
const NOTHING = new Uint8Array(0);

/** @param starts whether the ids are a whole sequence from its start; false when they continue a prompt */
export function createDetokenizer(pieces: Pieces, starts: boolean): Detokenizer {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  let held = NOTHING;
  let first = starts;
  return {
    push(id) {
      let bytes = pieces.piece(id);
      if (bytes.length === 0) return "";
      if (first && bytes[0] === SPACE && pieces.hasPrefix(id)) bytes = bytes.subarray(1);
      first = false;
      if (held.length > 0) {
        const joined = new Uint8Array(held.length + bytes.length);
        joined.set(held);
        joined.set(bytes, held.length);
        bytes = joined;
      }
      const whole = bytes.length - incompleteTail(bytes);
      held = whole === bytes.length ? NOTHING : bytes.slice(whole);
      return decoder.decode(bytes.subarray(0, whole));
    },
    get pending() {
      return held.length;
    },
    flush() {
      const cut = held.length > 0;
      held = NOTHING;
      return cut ? "\ufffd" : "";
    },
  };
}
