// The merge loop that BPE and SentencePiece share: of all neighbouring pairs the lowest rank merges first, the leftmost of
// equals. Short words are scanned, long ones use a heap, so that the cost stays O(n log n) whatever the text.

/** What is being merged. Symbols are numbered from 0; a merged symbol keeps the number of its left part. */
export interface Symbols {
  /** Rank of the pair of two neighbours, from 0 to 2^21; -1 when they do not merge. */
  rank(left: number, right: number): number;
  /** Makes `left` the merge of both; `rank` is that of the pair. */
  merge(left: number, right: number, rank: number): void;
}

export interface Merger {
  /** Merges `count` symbols as far as they go; then walk `next` from 0 until -1. */
  run(count: number, symbols: Symbols): void;
  next(symbol: number): number;
}

const SCAN_LIMIT = 32; // symbols; below it, scanning beats a heap
const KEPT_SYMBOLS = 1 << 16; // scratch memory above this is given back after the word
const POSITIONS = 2 ** 31; // a heap key is rank * POSITIONS + position, exact in a double

export function createMerger(): Merger {
  let capacity = 256;
  let next = new Int32Array(capacity);
  let previous = new Int32Array(capacity);
  let ranks = new Int32Array(capacity); // of the pair that starts at a symbol; -1: none, or the symbol is gone

  const reserve = (count: number): void => {
    if (count <= capacity && (capacity <= KEPT_SYMBOLS || count > KEPT_SYMBOLS)) return;
    capacity = Math.max(256, count);
    next = new Int32Array(capacity);
    previous = new Int32Array(capacity);
    ranks = new Int32Array(capacity);
  };

  const rankAt = (symbol: number, symbols: Symbols): number => {
    const right = next[symbol]!;
    const rank = right < 0 ? -1 : symbols.rank(symbol, right);
    ranks[symbol] = rank;
    return rank;
  };

  const mergeAt = (left: number, symbols: Symbols): void => {
    const right = next[left]!;
    symbols.merge(left, right, ranks[left]!);
    ranks[right] = -1;
    const after = next[right]!;
    next[left] = after;
    if (after >= 0) previous[after] = left;
  };

  const runByScan = (symbols: Symbols): void => {
    for (;;) {
      let best = -1;
      for (let i = 0, lowest = POSITIONS; i >= 0; i = next[i]!) {
        const rank = ranks[i]!;
        if (rank >= 0 && rank < lowest) {
          lowest = rank;
          best = i;
        }
      }
      if (best < 0) return;
      mergeAt(best, symbols);
      rankAt(best, symbols);
      if (previous[best]! >= 0) rankAt(previous[best]!, symbols);
    }
  };

  const runByHeap = (count: number, symbols: Symbols): void => {
    const heap: number[] = [];
    for (let i = 0; i < count; i++) if (ranks[i]! >= 0) pushKey(heap, ranks[i]! * POSITIONS + i);
    while (heap.length > 0) {
      const key = popKey(heap);
      const left = key % POSITIONS;
      if (ranks[left] !== (key - left) / POSITIONS) continue; // its pair has changed since: a newer key stands for it
      mergeAt(left, symbols);
      const rank = rankAt(left, symbols);
      if (rank >= 0) pushKey(heap, rank * POSITIONS + left);
      const before = previous[left]!;
      if (before < 0) continue;
      const rankBefore = rankAt(before, symbols);
      if (rankBefore >= 0) pushKey(heap, rankBefore * POSITIONS + before);
    }
  };

  return {
    run(count, symbols) {
      reserve(count);
      for (let i = 0; i < count; i++) {
        next[i] = i + 1 < count ? i + 1 : -1;
        previous[i] = i - 1;
      }
      for (let i = 0; i < count; i++) rankAt(i, symbols);
      if (count <= SCAN_LIMIT) runByScan(symbols);
      else runByHeap(count, symbols);
    },
    next: (symbol) => next[symbol]!,
  };
}

function pushKey(heap: number[], key: number): void {
  let i = heap.length;
  heap.push(key);
  while (i > 0) {
    const parent = (i - 1) >> 1;
    if (heap[parent]! <= key) break;
    heap[i] = heap[parent]!;
    i = parent;
  }
  heap[i] = key;
}

function popKey(heap: number[]): number {
  const top = heap[0]!;
  const last = heap.pop()!;
  const length = heap.length;
  if (length === 0) return top;
  let i = 0;
  for (;;) {
    let child = 2 * i + 1;
    if (child >= length) break;
    if (child + 1 < length && heap[child + 1]! < heap[child]!) child++;
    if (heap[child]! >= last) break;
    heap[i] = heap[child]!;
    i = child;
  }
  heap[i] = last;
  return top;
}
