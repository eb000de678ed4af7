// Nibbles of K-quant superblocks, where 32 bytes hold two groups: one in the low halves, one in the high halves.

/**
 * Collects one group from the 32 bytes at `at` (`shift` 0: low halves, 4: high halves) into a vector ordered like the
 * nibbles of small blocks: byte j holds weight j below weight j + 16.
 */
export function repackNibbles(source: DataView, at: number, shift: number, quants: Uint32Array, word: number): void {
  for (let i = 0; i < 4; i++) {
    const first = (source.getUint32(at + 4 * i, true) >>> shift) & 0x0f0f0f0f;
    const second = (source.getUint32(at + 16 + 4 * i, true) >>> shift) & 0x0f0f0f0f;
    quants[word + i] = first | (second << 4);
  }
}
