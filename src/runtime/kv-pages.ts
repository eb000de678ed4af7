// Bookkeeping of KV memory, no memory itself: fixed pages, reference counts, one page table a sequence. A page that is held
// twice is never written: `append` says which pages the runtime must copy first. Full pages stay known by their tokens until
// their memory is needed, and a sequence that begins with the same ones gets them without computing anything.
import { EngineError } from "../base/errors.ts";
import { invariant } from "../base/invariant.ts";
import { PAGE_LENGTH } from "../kernels/kv-layout.ts";
import type { Draw } from "./draw.ts";
import { createPrefixIndex, type Made, type PageNode } from "./prefix-index.ts";
import type { PrefixMatch } from "./runtime.ts";

/** Copy the whole page in every layer, before the step writes. Copies of one `append` do not depend on each other. */
export interface PageCopy {
  readonly from: number;
  readonly to: number;
}

export interface Append {
  readonly sequence: number;
  readonly ids: ArrayLike<number | Draw>;
  readonly made: Made;
  /** What is sampled after them. */
  readonly draw?: Draw | undefined;
}

export interface KvPagesOptions {
  readonly pageCount: number;
  readonly maxSequences: number;
  /** Bytes of one page over all layers, for messages. */
  readonly pageBytes: number;
  /** Most pages that are kept for their tokens alone; default: all. */
  readonly maxKeptPages?: number | undefined;
  readonly now?: () => number;
}

export interface KvPages {
  readonly pageCount: number;
  /** Pages that a sequence could have: unused ones, and those that are kept for their tokens alone. */
  readonly freePages: number;
  /** The latter of the two. */
  readonly keptPages: number;
  readonly openSequences: number;
  /** A sequence whose pages nobody will find. @throws EngineError `out_of_memory` when `maxSequences` are open */
  open(): number;
  /**
   * A sequence that holds the longest known prefix of `ids` but the last one, whose logits are still to be computed.
   * @throws EngineError `out_of_memory` when `maxSequences` are open
   */
  match(ids: ArrayLike<number>, search: PrefixMatch): { sequence: number; length: number };
  /**
   * Lengthens the sequences, each named once, all or none of them.
   * @throws EngineError `out_of_memory`, with nothing changed
   */
  append(appends: readonly Append[]): PageCopy[];
  /** A new sequence that shares every page. @throws EngineError `out_of_memory` */
  fork(sequence: number): number;
  /** Cuts to `length` positions, at most the present length. */
  rewind(sequence: number, length: number): void;
  free(sequence: number): void;
  /** Positions held. */
  length(sequence: number): number;
  /** What was sampled after the last position, by the append that made it. */
  drawn(sequence: number): Draw | undefined;
  /** Page of positions [p * 64, p * 64 + 64) at index p. */
  table(sequence: number): readonly number[];
  has(sequence: number): boolean;
  /** How many page tables name the page, and whether it is known by its tokens; 0 is free. */
  references(page: number): number;
}

interface Sequence {
  /** A draw stands for its token. */
  readonly ids: (number | Draw)[];
  drawn?: Draw | undefined;
  /** First position that decode made; infinite while there is none. */
  decodedFrom: number;
  readonly table: number[];
  /** What its full pages are known as; undefined for those that cannot be found. */
  readonly known: (PageNode | undefined)[];
  /** Absent: its pages are not for others. */
  readonly search: PrefixMatch | undefined;
}

export function createKvPages(options: KvPagesOptions): KvPages {
  const { pageCount, maxSequences, pageBytes, maxKeptPages = pageCount, now = Date.now } = options;
  const references = new Uint32Array(pageCount);
  // A stack with the lowest page on top, so that a lone sequence gets neighbouring pages.
  const free = Array.from({ length: pageCount }, (_, page) => pageCount - 1 - page);
  const sequences = new Map<number, Sequence>();
  /** Holds one reference to each page that it knows. */
  const index = createPrefixIndex(PAGE_LENGTH);
  let nextSequence = 1;

  /** Nobody but the index holds it. */
  const isKept = ({ page }: PageNode): boolean => references[page] === 1;
  const heldBytes = (): number => (pageCount - free.length - index.count(isKept)) * pageBytes;

  function find(sequence: number): Sequence {
    const found = sequences.get(sequence);
    invariant(found, `sequence ${sequence} is not open`);
    return found;
  }

  function add(sequence: Sequence): number {
    if (sequences.size >= maxSequences)
      throw new EngineError(
        "out_of_memory",
        `All ${maxSequences} sequences of this runtime are open; free one, or wait until one ends.`,
        { details: { requestedBytes: 0, heldBytes: heldBytes() } },
      );
    for (const page of sequence.table) references[page]!++;
    sequences.set(nextSequence, sequence);
    return nextSequence++;
  }

  function take(): number {
    const page = free.pop();
    invariant(page !== undefined, "append counted its pages wrongly");
    references[page] = 1;
    return page;
  }

  function release(page: number): void {
    invariant(references[page]! > 0, `page ${page} was released twice`);
    references[page]!--;
    if (references[page] === 0) free.push(page);
  }

  /** Drops kept pages, the longest unused first, until so many are left. False when there are none to drop. */
  function dropOldest(): boolean {
    const oldest = index.oldest(isKept, now());
    if (!oldest) return false;
    for (const { page } of index.drop(oldest)) release(page);
    return true;
  }

  /** Makes pages that have become full known, for whoever begins with the same tokens. */
  function publishFull(sequence: Sequence): void {
    const { ids, known, search } = sequence;
    while (search && (known.length + 1) * PAGE_LENGTH <= ids.length) {
      const start = known.length * PAGE_LENGTH;
      const tokens = ids.slice(start, start + PAGE_LENGTH).map((id) => (typeof id === "number" ? id : id.token));
      if (!tokens.every((token) => token !== undefined)) return; // some are still on their way
      publish(sequence, tokens, search);
    }
  }

  function publish({ table, known, decodedFrom }: Sequence, tokens: readonly number[], search: PrefixMatch): void {
    const place = known.length;
    const start = place * PAGE_LENGTH;
    const made = start + PAGE_LENGTH <= decodedFrom ? "prefill" : "decode";
    const page = table[place]!;
    const node = index.add(known, tokens, page, made, search.isolation);
    if (node?.page === page) references[page]!++;
    known.push(node);
    index.touch(known, search.protectedUntil);
  }

  /** Pages that the appends will take: new ones, and one for each write into a page that is still shared by then. */
  function countPages(appends: readonly Append[]): number {
    const seen = new Set<number>();
    const holders = new Map<number, number>();
    let pages = 0;
    for (const { sequence, ids } of appends) {
      invariant(!seen.has(sequence), `sequence ${sequence} is in the step twice`);
      seen.add(sequence);
      const { ids: before, table } = find(sequence);
      pages += Math.max(0, Math.ceil((before.length + ids.length) / PAGE_LENGTH) - table.length);
      const open = openPage(before.length, table);
      if (open === undefined || ids.length === 0) continue;
      const held = holders.get(open) ?? references[open]!;
      if (held > 1) pages++;
      holders.set(open, held > 1 ? held - 1 : held);
    }
    return pages;
  }

  function extend(held: Sequence, { ids, made, draw }: Append): void {
    if (made === "decode") held.decodedFrom = Math.min(held.decodedFrom, held.ids.length);
    for (let place = 0; place < ids.length; place++) {
      if (held.ids.length % PAGE_LENGTH === 0) held.table.push(take());
      held.ids.push(ids[place]!);
    }
    held.drawn = draw;
    // What decode made may be a guess that is cut again: a page that is known would have to be copied then.
    if (made === "prefill") publishFull(held);
  }

  return {
    pageCount,
    get freePages() {
      return free.length + index.count(isKept);
    },
    get keptPages() {
      return index.count(isKept);
    },
    get openSequences() {
      return sequences.size;
    },
    open: () => add({ ids: [], decodedFrom: Number.POSITIVE_INFINITY, table: [], known: [], search: undefined }),

    match(ids, search) {
      const path = index.find(Array.prototype.slice.call(ids, 0, ids.length - 1), search);
      const length = path.length * PAGE_LENGTH;
      const decoded = path.findIndex(({ made }) => made === "decode");
      const sequence = add({
        ids: Array.prototype.slice.call(ids, 0, length),
        decodedFrom: decoded < 0 ? Number.POSITIVE_INFINITY : decoded * PAGE_LENGTH,
        table: path.map(({ page }) => page),
        known: path,
        search,
      });
      index.touch(path, search.protectedUntil);
      return { sequence, length };
    },

    append(appends) {
      const asked = countPages(appends);
      if (asked > free.length && asked > free.length + index.count(isKept))
        throw new EngineError(
          "out_of_memory",
          `The step needs ${asked} more KV pages of ${PAGE_LENGTH} tokens (${asked * pageBytes} bytes), and ${free.length} of ` +
            `${pageCount} are free; free a sequence, or load the model with a larger KV budget.`,
          { details: { requestedBytes: asked * pageBytes, heldBytes: heldBytes() } },
        );
      while (free.length < asked) invariant(dropOldest(), "pages were counted that cannot be dropped");
      const copies: PageCopy[] = [];
      for (const append of appends) {
        const held = find(append.sequence);
        publishFull(held);
        const open = openPage(held.ids.length, held.table);
        if (open !== undefined && append.ids.length > 0 && references[open]! > 1) {
          const to = take();
          copies.push({ from: open, to });
          held.table[held.table.length - 1] = to;
          release(open);
        }
        extend(held, append);
      }
      trim();
      return copies;
    },

    fork(sequence) {
      publishFull(find(sequence));
      const { ids, table, known, ...rest } = find(sequence);
      return add({ ...rest, ids: [...ids], table: [...table], known: [...known] });
    },

    rewind(sequence, length) {
      const held = find(sequence);
      invariant(length >= 0 && length <= held.ids.length, `cannot rewind ${held.ids.length} positions to ${length}`);
      if (length < held.ids.length) held.drawn = undefined;
      held.ids.length = length;
      held.known.length = Math.min(held.known.length, Math.floor(length / PAGE_LENGTH));
      if (length <= held.decodedFrom) held.decodedFrom = Number.POSITIVE_INFINITY;
      while ((held.table.length - 1) * PAGE_LENGTH >= length && held.table.length > 0) release(held.table.pop()!);
      trim();
    },

    free(sequence) {
      publishFull(find(sequence));
      for (const page of find(sequence).table) release(page);
      sequences.delete(sequence);
      trim();
    },

    length: (sequence) => find(sequence).ids.length,
    drawn: (sequence) => find(sequence).drawn,
    table: (sequence) => find(sequence).table,
    has: (sequence) => sequences.has(sequence),
    references: (page) => references[page]!,
  };

  /** What a copy, a cut or an end has left to the index alone may be more than is to be kept. */
  function trim(): void {
    while (index.count(isKept) > maxKeptPages) dropOldest();
  }
}

/** The last page when it is partly filled: the only page of a sequence that an append writes and that may be shared. */
function openPage(length: number, table: readonly number[]): number | undefined {
  return length % PAGE_LENGTH === 0 ? undefined : table[table.length - 1];
}
