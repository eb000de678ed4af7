// KV page bookkeeping: counts are exact, shared pages are never written, refusals change nothing.
import { expect, test } from "vitest";
import { isEngineError } from "../../src/base/errors.ts";
import { PAGE_LENGTH } from "../../src/kernels/kv-layout.ts";
import type { Draw } from "../../src/runtime/draw.ts";
import { createKvPages, type KvPages } from "../../src/runtime/kv-pages.ts";
import type { StepId } from "../../src/runtime/runtime.ts";
import { createRandom } from "../fixtures/random.ts";

const zeros = (length: number) => new Int32Array(length);
const pool = (pageCount: number, maxSequences = 8) => createKvPages({ pageCount, maxSequences, pageBytes: 1000 });

function grown(kv: KvPages, length: number): number {
  const sequence = kv.open();
  kv.append([{ sequence, ids: zeros(length), made: "prefill" }]);
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
  expect(kv.append([{ sequence: fork, ids: zeros(1), made: "prefill" }])).toEqual([{ from: 1, to: 2 }]);
  expect(kv.table(original)).toEqual([0, 1]);
  expect(kv.table(fork)).toEqual([0, 2]);
  expect(kv.append([{ sequence: original, ids: zeros(1), made: "prefill" }])).toEqual([]);
});

test("a fork at a page border never copies", () => {
  const kv = pool(8);
  const original = grown(kv, 128);
  const fork = kv.fork(original);
  expect(
    kv.append([
      { sequence: fork, ids: zeros(1), made: "prefill" },
      { sequence: original, ids: zeros(1), made: "prefill" },
    ]),
  ).toEqual([]);
  expect(kv.freePages).toBe(4);
});

test("of two sharers that write in one step, the first copies and the second keeps the page", () => {
  const kv = pool(2);
  const original = grown(kv, 10);
  const fork = kv.fork(original);
  const copies = kv.append([
    { sequence: original, ids: zeros(1), made: "prefill" },
    { sequence: fork, ids: zeros(1), made: "prefill" },
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
      { sequence: first, ids: zeros(1), made: "prefill" },
      { sequence: second, ids: zeros(100), made: "prefill" },
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
  expect(() => kv.append([{ sequence, ids: zeros(1), made: "prefill" }])).toThrow(/not open/);
});

// The naive model keeps every sequence's values; the pool's pages hold them physically. Whatever a table reads back must be
// what was written: a write into a shared page, a lost copy, a page handed out twice or one found under other tokens would show.
test.each([1, 2, 3, 4])("20,000 random operations agree with plain lists of values (seed %i)", (seed) => {
  const pageCount = 24;
  const kv = createKvPages({ pageCount, maxSequences: 6, pageBytes: 1000, maxKeptPages: seed === 4 ? 5 : undefined });
  const memory = Array.from({ length: pageCount }, () => new Int32Array(PAGE_LENGTH));
  /** A token, and 1000 more where decode made its keys and values. */
  const model = new Map<number, number[]>();
  const { below: random } = createRandom(seed);
  /** Mostly the same token at each position, so that sequences begin alike. */
  const text = (from: number, length: number) =>
    Array.from({ length }, (_, place) => (random(200) === 0 ? 9 : (from + place) % 7));
  const read = (sequence: number, length: number) => {
    const table = kv.table(sequence);
    return Array.from({ length }, (_, i) => memory[table[Math.floor(i / PAGE_LENGTH)]!]![i % PAGE_LENGTH]!);
  };
  let refused = 0;
  let found = 0;

  for (let step = 0; step < 20_000; step++) {
    const open = [...model.keys()];
    const pick = open[random(open.length)];
    const action = random(12);
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
      } else if (action < 6) {
        const ids = text(0, 1 + random(300));
        const exact = random(2) === 0;
        const { sequence, length } = kv.match(ids, { isolation: String(random(2)), exact });
        expect(length % PAGE_LENGTH === 0 && length < ids.length).toBe(true);
        const values = read(sequence, length);
        expect(exact ? values : values.map((value) => value % 1000)).toEqual(ids.slice(0, length));
        model.set(sequence, values);
        if (length > 0) found++;
      } else {
        const made = random(3) === 0 ? "decode" : "prefill";
        const chosen = open.filter((sequence) => sequence === pick || random(3) === 0);
        const appends = chosen.map(
          (sequence) =>
            ({ sequence, made, ids: text(model.get(sequence)!.length, random(action === 6 ? 200 : 9)) }) as const,
        );
        for (const { from, to } of kv.append(appends)) memory[to]!.set(memory[from]!);
        for (const { sequence, ids } of appends) {
          const values = model.get(sequence)!;
          for (const id of ids) {
            const page = kv.table(sequence)[Math.floor(values.length / PAGE_LENGTH)]!;
            const holders = [...model.keys()].filter((other) => kv.table(other).includes(page));
            if (holders.length !== 1) throw new Error(`page ${page} is written while shared`);
            const value = id + (made === "decode" ? 1000 : 0);
            memory[page]![values.length % PAGE_LENGTH] = value;
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
      expect(read(sequence, values.length)).toEqual(values);
      for (const page of table) named.set(page, (named.get(page) ?? 0) + 1);
    }
    for (let page = 0; page < pageCount; page++) {
      const known = kv.references(page) - (named.get(page) ?? 0);
      expect(known === 0 || known === 1).toBe(true); // by its tokens
    }
    expect(kv.freePages).toBe(pageCount - named.size);
    if (seed === 4) expect(kv.keptPages).toBeLessThanOrEqual(5);
  }
  expect(refused).toBeGreaterThan(100);
  expect(found).toBeGreaterThan(200);
  for (const sequence of model.keys()) kv.free(sequence);
  expect([kv.freePages, kv.openSequences]).toEqual([pageCount, 0]);
});

/** Tokens 0, 1, 2, … from `start` on. */
const counting = (length: number, start = 0) => Int32Array.from({ length }, (_, place) => start + place);
const FOR_ALL = { isolation: "", exact: true };

test.each([
  ["nothing but itself", counting(0), 200, 0],
  ["whole pages of the same tokens", counting(200), 200, 192],
  ["of a prompt that goes on", counting(200), 300, 192],
  ["not the last token, whose logits are wanted", counting(128), 128, 64],
  ["up to the first page that differs", Int32Array.of(...counting(100), ...counting(100, 900)), 200, 64],
])("a match finds %s", (_, held, asked, expected) => {
  const kv = pool(16);
  const { sequence } = kv.match(held.length === 0 ? counting(1) : held, FOR_ALL);
  kv.append([{ sequence, ids: held, made: "prefill" }]);
  const ids = counting(asked);
  expect(kv.match(ids, FOR_ALL).length).toBe(expected);
  kv.free(sequence);
  expect(kv.match(ids, FOR_ALL).length).toBe(expected); // also when nobody holds it any more
});

test("pages that decode made, and all that follow them, are found only by who does not ask for exactness", () => {
  const kv = pool(16);
  const { sequence } = kv.match(counting(1), FOR_ALL);
  kv.append([{ sequence, ids: counting(100), made: "prefill" }]);
  kv.append([{ sequence, ids: counting(28, 100), made: "decode" }]);
  kv.append([{ sequence, ids: counting(64, 128), made: "prefill" }]);
  expect(kv.match(counting(300), FOR_ALL).length).toBe(64);
  expect(kv.match(counting(300), { isolation: "", exact: false }).length).toBe(192);
});

test("a page that holds a token on its way is found when the token is known, by a fork's tokens too", () => {
  const kv = pool(8);
  const search = { isolation: "", exact: false };
  const draw: Draw = { step: 1 as StepId };
  const { sequence } = kv.match([1], search);
  kv.append([{ sequence, ids: zeros(62), made: "prefill", draw }]);
  expect(kv.drawn(sequence)).toBe(draw);
  kv.append([{ sequence, ids: [draw, 5], made: "decode" }]);
  expect(kv.drawn(sequence)).toBe(undefined);
  const fork = kv.fork(sequence);
  kv.free(sequence);
  const ids = [...zeros(62), 7, 5, 0];
  expect(kv.match(ids, search).length).toBe(0);
  draw.token = 7;
  kv.free(fork);
  expect(kv.match(ids, search).length).toBe(64);
});

test("what was drawn is forgotten with its row, and only then", () => {
  const kv = pool(8);
  const draw: Draw = { step: 1 as StepId, place: 3 };
  const sequence = kv.open();
  kv.append([{ sequence, ids: [1, 2], made: "decode", draw }]);
  kv.rewind(sequence, 2);
  expect(kv.drawn(kv.fork(sequence))).toBe(draw);
  kv.rewind(sequence, 1);
  expect(kv.drawn(sequence)).toBe(undefined);
});

test("one isolation key finds nothing of another's, nor of a sequence that was opened without any", () => {
  const kv = pool(16);
  for (const isolation of ["a", "b"]) {
    const { sequence, length } = kv.match(counting(129), { isolation, exact: true });
    expect(length).toBe(0);
    kv.append([{ sequence, ids: counting(129), made: "prefill" }]);
  }
  grown(kv, 128);
  expect(kv.match(zeros(129), FOR_ALL).length).toBe(0);
});

test("memory goes first from what was used longest ago, and last from what is protected", () => {
  let time = 1000;
  const kv = createKvPages({ pageCount: 6, maxSequences: 8, pageBytes: 1, now: () => time });
  const keep = (start: number, protectedUntil?: number) => {
    const search = { ...FOR_ALL, ...(protectedUntil !== undefined && { protectedUntil }) };
    const { sequence } = kv.match(counting(65, start), search);
    kv.append([{ sequence, ids: counting(64, start), made: "prefill" }]);
    kv.free(sequence);
  };
  const isKept = (start: number) => {
    const { sequence, length } = kv.match(counting(65, start), FOR_ALL);
    kv.free(sequence);
    return length === 64;
  };
  for (const [start, until] of [[0, 5000], [1000], [2000], [3000]] as const) keep(start, until);
  expect(kv.keptPages).toBe(4);
  expect(isKept(1000)).toBe(true); // and so was used
  kv.free(grown(kv, 3 * 64));
  expect([0, 1000, 2000, 3000].map(isKept)).toEqual([true, true, false, true]);
  time = 6000;
  kv.free(grown(kv, 4 * 64));
  expect([0, 1000, 3000].filter(isKept).length).toBe(2);
});

test("what is kept for its tokens is no obstacle to anybody: all of it is free when asked for", () => {
  const kv = pool(4);
  const { sequence } = kv.match(counting(1), FOR_ALL);
  kv.append([{ sequence, ids: counting(256), made: "prefill" }]);
  kv.free(sequence);
  expect([kv.freePages, kv.keptPages]).toEqual([4, 4]);
  grown(kv, 256);
  expect([kv.freePages, kv.keptPages]).toEqual([0, 0]);
});
