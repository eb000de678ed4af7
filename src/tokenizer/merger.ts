// The merge loop that BPE and SentencePiece share: of all neighbouring pairs the lowest rank merges first, the leftmost of
// equals. A few symbols are scanned, more use a heap: O(n log n) whatever the text. See long-word.ts for very long words.

/** What is being merged. Symbols are numbered from 0; a merged symbol keeps the number of its left part. */
export interface Symbols {
  /** Rank of the pair of two neighbours, from 0 to 2^21; -1 when they do not merge. */
  rank(left: number, right: number): number;
  /** The value of `left` once it is the merge of both; `rank` is that of the pair. */
  merge(left: number, right: number, rank: number): number;
}

export interface Merger {
  /** Makes room for this many symbols. Call it first. */
  reserve(count: number): void;
  /** What the caller knows of a symbol. */
  value(symbol: number): number;
  setValue(symbol: number, value: number): void;
  /** Merges `count` symbols as far as they go; then walk `next` from 0 until -1. */
  run(count: number, symbols: Symbols): void;
  next(symbol: number): number;
}

const SCAN_LIMIT = 32; // symbols; below it, scanning beats a heap
const KEPT_SYMBOLS = 1 << 16; // memory above this is given back at the next short word

const POSITIONS = 2 ** 31; // a heap key is rank * POSITIONS + position, exact in a double

/** All that is known of a symbol stands together: a long word's merges touch memory in no order, and each touch may miss. */
const STRIDE = 4;
const NEXT = 0;
const PREVIOUS = 1;
const RANK = 2; // of the pair that starts at a symbol; -1: none, or the symbol is gone
const VALUE = 3;

export function createMerger(): Merger {
  let capacity = 256;
  let links = new Int32Array(capacity * STRIDE);

  const rankAt = (symbol: number, symbols: Symbols): number => {
    const right = links[symbol * STRIDE + NEXT]!;
    const rank = right < 0 ? -1 : symbols.rank(symbol, right);
    links[symbol * STRIDE + RANK] = rank;
    return rank;
  };

  const mergeAt = (left: number, symbols: Symbols): void => {
    const right = links[left * STRIDE + NEXT]!;
    links[left * STRIDE + VALUE] = symbols.merge(left, right, links[left * STRIDE + RANK]!);
    links[right * STRIDE + RANK] = -1;
    const after = links[right * STRIDE + NEXT]!;
    links[left * STRIDE + NEXT] = after;
    if (after >= 0) links[after * STRIDE + PREVIOUS] = left;
  };

  const runByScan = (symbols: Symbols): void => {
    for (;;) {
      let best = -1;
      for (let i = 0, lowest = POSITIONS; i >= 0; i = links[i * STRIDE + NEXT]!) {
        const rank = links[i * STRIDE + RANK]!;
        if (rank >= 0 && rank < lowest) {
          lowest = rank;
          best = i;
        }
      }
      if (best < 0) return;
      mergeAt(best, symbols);
      rankAt(best, symbols);
      const before = links[best * STRIDE + PREVIOUS]!;
      if (before >= 0) rankAt(before, symbols);
    }
  };

  const runByHeap = (count: number, symbols: Symbols): void => {
    const heap: number[] = [];
    for (let i = 0; i < count; i++) {
      const rank = links[i * STRIDE + RANK]!;
      if (rank >= 0) pushHeap(heap, rank * POSITIONS + i);
    }
    while (heap.length > 0) {
      const key = popHeap(heap);
      const left = key % POSITIONS;
      if (links[left * STRIDE + RANK] !== (key - left) / POSITIONS) continue; // its pair changed: a newer entry counts
      mergeAt(left, symbols);
      const rank = rankAt(left, symbols);
      if (rank >= 0) pushHeap(heap, rank * POSITIONS + left);
      const before = links[left * STRIDE + PREVIOUS]!;
      if (before < 0) continue;
      const rankBefore = rankAt(before, symbols);
      if (rankBefore >= 0) pushHeap(heap, rankBefore * POSITIONS + before);
    }
  };

  return {
    reserve(count) {
      if (count <= capacity && (capacity <= KEPT_SYMBOLS || count > KEPT_SYMBOLS)) return;
      capacity = Math.max(256, count);
      links = new Int32Array(capacity * STRIDE);
    },
    value: (symbol) => links[symbol * STRIDE + VALUE]!,
    setValue(symbol, value) {
      links[symbol * STRIDE + VALUE] = value;
    },
    run(count, symbols) {
      for (let i = 0; i < count; i++) {
        links[i * STRIDE + NEXT] = i + 1 < count ? i + 1 : -1;
        links[i * STRIDE + PREVIOUS] = i - 1;
      }
      for (let i = 0; i < count; i++) rankAt(i, symbols);
      if (count <= SCAN_LIMIT) runByScan(symbols);
      else runByHeap(count, symbols);
    },
    next: (symbol) => links[symbol * STRIDE + NEXT]!,
  };
}

function pushHeap(heap: number[], key: number): void {
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

function popHeap(heap: number[]): number {
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
