// KV page bookkeeping: counts are exact, shared pages are never written, refusals change nothing.
import { expect, test } from "vitest";
import { isEngineError } from "../../src/base/errors.ts";
import { PAGE_LENGTH } from "../../src/kernels/kv-layout.ts";
import { createKvPages, type KvPages } from "../../src/runtime/kv-pages.ts";

const pool = (pageCount: number, maxSequences = 8) => createKvPages({ pageCount, maxSequences, pageBytes: 1000 });

function grown(kv: KvPages, length: number): number {
  const sequence = kv.open();
  kv.append([{ sequence, count: length }]);
  return sequence;
}

test.each([
  [0, 0],
  [1, 1],
  [63, 1],
  [64, 1],
  [65, 2],
  [256, 4],
])("%i positions take %i pages", (length, pages) => {
  const kv = pool(8);
  const sequence = grown(kv, length);
  expect(kv.table(sequence)).toHaveLength(pages);
  expect(kv.freePages).toBe(8 - pages);
});

test("a lone sequence gets neighbouring pages from the first on", () => {
  const kv = pool(8);
  expect(kv.table(grown(kv, 200))).toEqual([0, 1, 2, 3]);
});

test("a fork takes no page until one side writes into the shared, partly filled one", () => {
  const kv = pool(8);
  const original = grown(kv, 100);
  const fork = kv.fork(original);
  expect(kv.freePages).toBe(6);
  expect(kv.append([{ sequence: fork, count: 1 }])).toEqual([{ from: 1, to: 2 }]);
  expect(kv.table(original)).toEqual([0, 1]);
  expect(kv.table(fork)).toEqual([0, 2]);
  expect(kv.append([{ sequence: original, count: 1 }])).toEqual([]);
});

test("a fork at a page border never copies", () => {
  const kv = pool(8);
  const original = grown(kv, 128);
  const fork = kv.fork(original);
  expect(
    kv.append([
      { sequence: fork, count: 1 },
      { sequence: original, count: 1 },
    ]),
  ).toEqual([]);
  expect(kv.freePages).toBe(4);
});

test("of two sharers that write in one step, the first copies and the second keeps the page", () => {
  const kv = pool(2);
  const original = grown(kv, 10);
  const fork = kv.fork(original);
  const copies = kv.append([
    { sequence: original, count: 1 },
    { sequence: fork, count: 1 },
  ]);
  expect(copies).toEqual([{ from: 0, to: 1 }]);
  expect(kv.table(original)).toEqual([1]);
  expect(kv.table(fork)).toEqual([0]);
});

test("rewind gives back every page past the new length", () => {
  const kv = pool(8);
  const sequence = grown(kv, 300);
  kv.rewind(sequence, 64);
  expect(kv.freePages).toBe(7);
  kv.rewind(sequence, 0);
  expect(kv.freePages).toBe(8);
});

test("an append past the pool is refused with the numbers, and leaves everything as it was", () => {
  const kv = pool(3);
  const [first, second] = [grown(kv, 64), grown(kv, 10)];
  let thrown: unknown;
  try {
    kv.append([
      { sequence: first, count: 1 },
      { sequence: second, count: 100 },
    ]);
  } catch (error) {
    thrown = error;
  }
  expect(isEngineError(thrown, "out_of_memory") && thrown.details).toEqual({ requestedBytes: 2000, heldBytes: 2000 });
  expect((thrown as Error).message).toMatch(/needs 2 more KV pages .* 1 of 3 are free/);
  expect([kv.length(first), kv.length(second), kv.freePages]).toEqual([64, 10, 1]);
});

test("the sequence after maxSequences is refused, by open and by fork", () => {
  const kv = pool(8, 2);
  const first = kv.open();
  kv.open();
  expect(() => kv.open()).toThrow(/All 2 sequences/);
  expect(() => kv.fork(first)).toThrow(/All 2 sequences/);
  kv.free(first);
  expect(kv.has(kv.open())).toBe(true);
});

test("freeing twice, or using what was freed, is a bug that throws", () => {
  const kv = pool(8);
  const sequence = grown(kv, 70);
  kv.free(sequence);
  expect(() => kv.free(sequence)).toThrow(/not open/);
  expect(() => kv.append([{ sequence, count: 1 }])).toThrow(/not open/);
});

// The naive model keeps every sequence's values; the pool's pages hold them physically. Whatever a table reads back must be
// what was written: a write into a shared page, a lost copy or a page handed out twice would show.
test.each([1, 2, 3, 4])("20,000 random operations agree with plain lists of values (seed %i)", (seed) => {
  const pageCount = 24;
  const kv = pool(pageCount, 6);
  const memory = Array.from({ length: pageCount }, () => new Int32Array(PAGE_LENGTH));
  const model = new Map<number, number[]>();
  let state = seed;
  const random = (limit: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
  let value = 0;
  let refused = 0;

  for (let step = 0; step < 20_000; step++) {
    const open = [...model.keys()];
    const pick = open[random(open.length)];
    const action = random(10);
    try {
      if (pick === undefined || action === 0) {
        model.set(kv.open(), []);
      } else if (action === 1) {
        model.set(kv.fork(pick), [...model.get(pick)!]);
      } else if (action === 2) {
        const length = random(model.get(pick)!.length + 1);
        kv.rewind(pick, length);
        model.get(pick)!.length = length;
      } else if (action === 3) {
        kv.free(pick);
        model.delete(pick);
      } else {
        const chosen = open.filter((sequence) => sequence === pick || random(3) === 0);
        const appends = chosen.map((sequence) => ({ sequence, count: random(action === 4 ? 200 : 9) }));
        for (const { from, to } of kv.append(appends)) memory[to]!.set(memory[from]!);
        for (const { sequence, count } of appends) {
          const values = model.get(sequence)!;
          for (let i = 0; i < count; i++) {
            const page = kv.table(sequence)[Math.floor(values.length / PAGE_LENGTH)]!;
            if (kv.references(page) !== 1) throw new Error(`page ${page} is written while shared`);
            memory[page]![values.length % PAGE_LENGTH] = ++value;
            values.push(value);
          }
        }
      }
    } catch (error) {
      if (!isEngineError(error, "out_of_memory")) throw error;
      refused++;
    }
    if (step % 50 !== 0) continue;
    const named = new Map<number, number>();
    for (const [sequence, values] of model) {
      expect(kv.length(sequence)).toBe(values.length);
      const table = kv.table(sequence);
      expect(table.length).toBe(Math.ceil(values.length / PAGE_LENGTH));
      expect(values.map((_, i) => memory[table[Math.floor(i / PAGE_LENGTH)]!]![i % PAGE_LENGTH])).toEqual(values);
      for (const page of table) named.set(page, (named.get(page) ?? 0) + 1);
    }
    expect(Array.from({ length: pageCount }, (_, page) => kv.references(page))).toEqual(
      Array.from({ length: pageCount }, (_, page) => named.get(page) ?? 0),
    );
    expect(kv.freePages).toBe(pageCount - named.size);
  }
  expect(refused).toBeGreaterThan(100);
  for (const sequence of model.keys()) kv.free(sequence);
  expect([kv.freePages, kv.openSequences]).toEqual([pageCount, 0]);
});
