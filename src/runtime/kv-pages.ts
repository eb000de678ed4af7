// Bookkeeping of KV memory, no memory itself: fixed pages, reference counts, one page table a sequence. A page that two
// sequences share is never written: `append` says which pages the runtime must copy first.
import { EngineError } from "../base/errors.ts";
import { invariant } from "../base/invariant.ts";
import { PAGE_LENGTH } from "../kernels/kv-layout.ts";

/** Copy the whole page in every layer, before the step writes. Copies of one `append` do not depend on each other. */
export interface PageCopy {
  readonly from: number;
  readonly to: number;
}

export interface Append {
  readonly sequence: number;
  readonly count: number;
}

export interface KvPagesOptions {
  readonly pageCount: number;
  readonly maxSequences: number;
  /** Bytes of one page over all layers, for messages. */
  readonly pageBytes: number;
}

export interface KvPages {
  readonly pageCount: number;
  readonly freePages: number;
  readonly openSequences: number;
  /** @throws EngineError `out_of_memory` when `maxSequences` are open */
  open(): number;
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
  /** Page of positions [p * 64, p * 64 + 64) at index p. */
  table(sequence: number): readonly number[];
  has(sequence: number): boolean;
  /** How many page tables name the page; 0 is free. */
  references(page: number): number;
}

interface Sequence {
  length: number;
  readonly table: number[];
}

export function createKvPages({ pageCount, maxSequences, pageBytes }: KvPagesOptions): KvPages {
  const references = new Uint32Array(pageCount);
  // A stack with the lowest page on top, so that a lone sequence gets neighbouring pages.
  const free = Array.from({ length: pageCount }, (_, index) => pageCount - 1 - index);
  const sequences = new Map<number, Sequence>();
  let nextSequence = 1;

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
        { details: { requestedBytes: 0, heldBytes: (pageCount - free.length) * pageBytes } },
      );
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

  /** Pages that the appends will take: new ones, and one for each write into a page that is still shared by then. */
  function countPages(appends: readonly Append[]): number {
    const seen = new Set<number>();
    const holders = new Map<number, number>();
    let pages = 0;
    for (const { sequence, count } of appends) {
      invariant(!seen.has(sequence), `sequence ${sequence} is in the step twice`);
      seen.add(sequence);
      const { length, table } = find(sequence);
      pages += Math.max(0, Math.ceil((length + count) / PAGE_LENGTH) - table.length);
      const open = openPage(length, table);
      if (open === undefined || count === 0) continue;
      const held = holders.get(open) ?? references[open]!;
      if (held > 1) pages++;
      holders.set(open, held > 1 ? held - 1 : held);
    }
    return pages;
  }

  return {
    pageCount,
    get freePages() {
      return free.length;
    },
    get openSequences() {
      return sequences.size;
    },
    open: () => add({ length: 0, table: [] }),

    append(appends) {
      const asked = countPages(appends);
      if (asked > free.length)
        throw new EngineError(
          "out_of_memory",
          `The step needs ${asked} more KV pages of ${PAGE_LENGTH} tokens (${asked * pageBytes} bytes), and ${free.length} of ` +
            `${pageCount} are free; free a sequence, or load the model with a larger KV budget.`,
          { details: { requestedBytes: asked * pageBytes, heldBytes: (pageCount - free.length) * pageBytes } },
        );
      const copies: PageCopy[] = [];
      for (const { sequence, count } of appends) {
        const held = find(sequence);
        const open = openPage(held.length, held.table);
        if (open !== undefined && count > 0 && references[open]! > 1) {
          const to = take();
          copies.push({ from: open, to });
          held.table[held.table.length - 1] = to;
          release(open);
        }
        held.length += count;
        while (held.table.length * PAGE_LENGTH < held.length) held.table.push(take());
      }
      return copies;
    },

    fork(sequence) {
      const { length, table } = find(sequence);
      const forked = add({ length, table: [...table] });
      for (const page of table) references[page]!++;
      return forked;
    },

    rewind(sequence, length) {
      const held = find(sequence);
      invariant(length >= 0 && length <= held.length, `cannot rewind ${held.length} positions to ${length}`);
      held.length = length;
      while ((held.table.length - 1) * PAGE_LENGTH >= length && held.table.length > 0) release(held.table.pop()!);
    },

    free(sequence) {
      for (const page of find(sequence).table) release(page);
      sequences.delete(sequence);
    },

    length: (sequence) => find(sequence).length,
    table: (sequence) => find(sequence).table,
    has: (sequence) => sequences.has(sequence),
    references: (page) => references[page]!,
  };
}

/** The last page when it is partly filled: the only page of a sequence that an append writes and that may be shared. */
function openPage(length: number, table: readonly number[]): number | undefined {
  return length % PAGE_LENGTH === 0 ? undefined : table[table.length - 1];
}
