// Merges a very long word piece by piece, with the very result of merging it at once. A word of a million symbols is merged
// in no order of place, so that each step misses the cache; pieces that fit in it cost linear time.
//
// Why it is exact: let A be the tokens of a text, and M those of its end, from the start of A's token a on, with more text
// behind. If M begins with a, the tokens of the whole are A's before a, then M's. For suppose that merging the whole first
// crosses a border of a at some step. Until then the parts between the borders evolve each by itself, and in the same
// interleaving as when A or M is merged alone: the lowest (rank, place) of two neighbouring parts is the same there.
// So the crossing merge would be taken in A (before a) or in M (behind a) as well, but neither crosses that border.

import type { Merger, Symbols } from "./merger.ts";

/** The initial symbols of a word, any run of which can be put into the merger. */
export interface Word {
  readonly count: number;
  /** Gives symbols 0 .. to - from of the merger the values of the word's symbols from .. to. */
  load(from: number, to: number): void;
  readonly symbols: Symbols;
}

const PIECE = 4096; // symbols: with their heap they stay in the second-level cache
const OVERLAP = 8; // tokens at the end of what is done that are merged again with the next piece

/** Merges a word; `put` receives each token's value, its first symbol and the one behind its last, in order. */
export function mergeWord(word: Word, merger: Merger, put: (value: number, start: number, end: number) => void): void {
  const { count } = word;
  if (count <= PIECE) {
    merge(word, merger, 0, count);
    for (let i = 0, next = 0; i >= 0; i = next) {
      next = merger.next(i);
      put(merger.value(i), i, next < 0 ? count : next);
    }
    return;
  }
  const starts: number[] = [];
  const values: number[] = [];
  for (let done = 0; done < count; ) {
    const end = Math.min(done + PIECE, count);
    let again = Math.min(OVERLAP, starts.length);
    let first = starts.length - again;
    for (;;) {
      const from = starts[first] ?? done;
      merge(word, merger, from, end);
      const border = (starts[first + 1] ?? done) - from; // behind token `first`
      if (first === 0 || merger.next(0) === border) break;
      again = Math.min(4 * again, starts.length); // how far back a merge can reach is bounded by the number of ranks
      first = starts.length - again;
    }
    const from = starts[first] ?? done;
    starts.length = first;
    values.length = first;
    for (let i = 0; i >= 0; i = merger.next(i)) {
      starts.push(from + i);
      values.push(merger.value(i));
    }
    done = end;
  }
  for (let i = 0; i < starts.length; i++) put(values[i]!, starts[i]!, starts[i + 1] ?? count);
}

function merge(word: Word, merger: Merger, from: number, to: number): void {
  merger.reserve(to - from);
  word.load(from, to);
  merger.run(to - from, word.symbols);
}
