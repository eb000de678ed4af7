// A hash table from byte strings to their index in an arena: open addressing over Int32Arrays, nothing allocated per entry.

/** Many byte strings in one array: string `i` is bytes[starts[i] .. starts[i + 1]). */
export interface Arena {
  readonly bytes: Uint8Array;
  readonly starts: Uint32Array;
}

export interface ByteTable {
  /** The entry equal to `source[from .. to)`, whose hash is `hash`; -1 when there is none. */
  find(source: Uint8Array, from: number, to: number, hash: number): number;
}

/** Differs from run to run, so that no file and no prompt can be made to collide on purpose. */
const SEED = crypto.getRandomValues(new Uint32Array(1))[0]! | 0;

/** FNV-1a, which can be carried on: hashBytes(b, hashBytes(a)) is the hash of a and b together. */
export function hashBytes(source: Uint8Array, from: number, to: number, start = SEED): number {
  let hash = start;
  for (let i = from; i < to; i++) hash = Math.imul(hash ^ source[i]!, 0x01000193);
  return hash;
}

/** The hash of no bytes: where `hashBytes` starts. */
export const EMPTY_HASH = SEED;

/** Spreads a hash over all its bits (the finalizer of MurmurHash3). */
export function mix(hash: number): number {
  let h = hash;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** The table of all strings that `includes` admits; of equal strings the first is found. Empty strings are never found. */
export function createByteTable(arena: Arena, includes: (index: number) => boolean): ByteTable {
  const { bytes, starts } = arena;
  const count = starts.length - 1;
  const mask = tableSize(count) - 1;
  const slots = new Int32Array(mask + 1); // index + 1; 0 is free

  const find = (source: Uint8Array, from: number, to: number, hash: number): number => {
    const length = to - from;
    for (let slot = mix(hash) & mask; ; slot = (slot + 1) & mask) {
      const index = slots[slot]! - 1;
      if (index < 0) return -1;
      const start = starts[index]!;
      if (starts[index + 1]! - start !== length) continue;
      let i = 0;
      while (i < length && bytes[start + i] === source[from + i]) i++;
      if (i === length) return index;
    }
  };

  for (let index = 0; index < count; index++) {
    const from = starts[index]!;
    const to = starts[index + 1]!;
    if (from === to || !includes(index)) continue;
    const hash = hashBytes(bytes, from, to);
    if (find(bytes, from, to, hash) >= 0) continue;
    let slot = mix(hash) & mask;
    while (slots[slot] !== 0) slot = (slot + 1) & mask;
    slots[slot] = index + 1;
  }
  return { find };
}

/** A power of two that keeps an open-addressing table at most half full. */
export function tableSize(count: number): number {
  let size = 16;
  while (size < count * 2) size *= 2;
  return size;
}
