// A growing list of token ids in one Int32Array.

export interface IdBuffer {
  readonly length: number;
  push(id: number): void;
  at(index: number): number;
  /** A copy of what was pushed. */
  toArray(): Int32Array;
}

export function createIdBuffer(): IdBuffer {
  let ids = new Int32Array(256);
  let length = 0;
  return {
    get length() {
      return length;
    },
    push(id) {
      if (length === ids.length) {
        const larger = new Int32Array(length * 2);
        larger.set(ids);
        ids = larger;
      }
      ids[length++] = id;
    },
    at: (index) => ids[index]!,
    toArray: () => ids.slice(0, length),
  };
}
