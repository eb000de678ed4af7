// The merges of a byte-level BPE vocabulary: (left id, right id) -> rank, open addressing over Int32Arrays.

import { EMPTY_HASH, mix, tableSize } from "./byte-table.ts";

export interface PairTable {
  /** Rank of the merge of two tokens, lower merges first; -1 when they do not merge. */
  rank(left: number, right: number): number;
}

/** @param lefts, rights ids of merge `i`, whose rank is `i`; of equal pairs the first counts */
export function createPairTable(lefts: Int32Array, rights: Int32Array): PairTable {
  const mask = tableSize(lefts.length) - 1;
  const slots = new Int32Array(mask + 1); // rank + 1; 0 is free
  const slotOf = (left: number, right: number): number =>
    mix(Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x7feb352d) ^ EMPTY_HASH) & mask;

  const rank = (left: number, right: number): number => {
    for (let slot = slotOf(left, right); ; slot = (slot + 1) & mask) {
      const found = slots[slot]! - 1;
      if (found < 0 || (lefts[found] === left && rights[found] === right)) return found;
    }
  };

  for (let i = 0; i < lefts.length; i++) {
    if (rank(lefts[i]!, rights[i]!) >= 0) continue;
    let slot = slotOf(lefts[i]!, rights[i]!);
    while (slots[slot] !== 0) slot = (slot + 1) & mask;
    slots[slot] = i + 1;
  }
  return { rank };
}
