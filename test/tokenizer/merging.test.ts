// The merge loop against its definition, on random rules and words; and long words in pieces against the same at once.
import { expect, test } from "vitest";
import { mergeWord } from "../../src/tokenizer/long-word.ts";
import { createMerger } from "../../src/tokenizer/merger.ts";
import { createPairTable } from "../../src/tokenizer/pair-table.ts";
import { createDice } from "./random-strings.ts";

interface Rules {
  lefts: Int32Array;
  rights: Int32Array;
  results: Int32Array;
}

/** Random merges over a small alphabet, not of the orderly kind that training gives. */
function randomRules(dice: (limit: number) => number, alphabet: number, count: number): Rules {
  const pick = () => dice(alphabet + count);
  return {
    lefts: Int32Array.from({ length: count }, pick),
    rights: Int32Array.from({ length: count }, pick),
    results: Int32Array.from({ length: count }, (_, i) => alphabet + i),
  };
}

/** The definition: of all pairs that merge, the lowest rank, the leftmost of equals; again until none is left. */
function mergeByDefinition(ids: readonly number[], { lefts, rights, results }: Rules): number[] {
  const rankOf = (left: number, right: number) => lefts.findIndex((id, i) => id === left && rights[i] === right);
  const word = [...ids];
  for (;;) {
    const ranks = word
      .map((id, i) => (i + 1 < word.length ? rankOf(id, word[i + 1]!) : -1))
      .map((r) => (r < 0 ? Infinity : r));
    const best = Math.min(...ranks, Infinity);
    if (best === Infinity) return word;
    word.splice(ranks.indexOf(best), 2, results[best]!);
  }
}

function mergeFast(ids: readonly number[], { lefts, rights, results }: Rules): number[] {
  const merger = createMerger();
  const pairs = createPairTable(lefts, rights);
  const out: number[] = [];
  const word = {
    count: ids.length,
    load: (from: number, to: number) => {
      for (let i = from; i < to; i++) merger.setValue(i - from, ids[i]!);
    },
    symbols: {
      rank: (left: number, right: number) => pairs.rank(merger.value(left), merger.value(right)),
      merge: (_left: number, _right: number, rank: number) => results[rank]!,
    },
  };
  mergeWord(word, merger, (value) => out.push(value));
  return out;
}

test("short words and those over the scan limit follow the definition", () => {
  const dice = createDice(11);
  for (let round = 0; round < 3000; round++) {
    const alphabet = 1 + dice(4);
    const rules = randomRules(dice, alphabet, dice(24));
    const word = Array.from({ length: 1 + dice(90) }, () => dice(alphabet));
    expect(mergeFast(word, rules)).toEqual(mergeByDefinition(word, rules));
  }
});

test("words merged in pieces give the same as at once", () => {
  const dice = createDice(13);
  for (let round = 0; round < 150; round++) {
    const alphabet = 1 + dice(6);
    const rules = randomRules(dice, alphabet, 1 + dice(300));
    const length = 4097 + dice(12_000);
    const period = 1 + dice(9);
    const word = Array.from({ length }, (_, i) => (round % 3 === 0 ? i % Math.min(period, alphabet) : dice(alphabet)));
    expect(mergeFast(word, rules)).toEqual(mergeAtOnce(word, rules));
  }
});

test("a merge that runs leftwards through a whole word is followed through all pieces", () => {
  const count = 9000; // symbol i merges with all that is right of it, the rightmost first
  const word = Array.from({ length: count }, (_, i) => i);
  const lefts = Int32Array.from({ length: count - 1 }, (_, rank) => count - 2 - rank);
  const results = Int32Array.from({ length: count - 1 }, (_, rank) => count + rank);
  const rights = Int32Array.from({ length: count - 1 }, (_, rank) => (rank === 0 ? count - 1 : count + rank - 1));
  expect(mergeFast(word, { lefts, rights, results })).toEqual([2 * count - 2]);
});

/** The merger alone, without pieces. */
function mergeAtOnce(ids: readonly number[], { lefts, rights, results }: Rules): number[] {
  const merger = createMerger();
  const pairs = createPairTable(lefts, rights);
  merger.reserve(ids.length);
  ids.forEach((id, i) => {
    merger.setValue(i, id);
  });
  merger.run(ids.length, {
    rank: (left, right) => pairs.rank(merger.value(left), merger.value(right)),
    merge: (_left, _right, rank) => results[rank]!,
  });
  const out: number[] = [];
  for (let i = 0; i >= 0; i = merger.next(i)) out.push(merger.value(i));
  return out;
}
