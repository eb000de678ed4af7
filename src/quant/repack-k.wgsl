// Q4_K and Q5_K: k-blocks.ts describes both forms. Before this: NIBBLES_AT.

fn quantWord(at: u32, blocks: u32, word: u32) -> u32 {
  let group = word / 4u;
  return nibblesAt(at + NIBBLES_AT + group / 2u * 32u, group % 2u * 4u, word % 4u);
}

fn extraWord(at: u32, blocks: u32, word: u32) -> u32 {
  if (word == 0u) {
    return wordAt(at);
  }
  if (word >= 5u) {
    return fifthBits(at + 16u, word - 5u);
  }
  // Six bits each, of the first four groups in place, of the others in two parts.
  let isMinimum = word >= 3u;
  let own = wordAt(at + select(4u, 8u, isMinimum));
  if (word % 2u == 1u) {
    return own & 0x3f3f3f3fu;
  }
  let low = wordAt(at + 12u) >> select(0u, 4u, isMinimum);
  return (low & 0x0f0f0f0fu) | ((own >> 2u) & 0x30303030u);
}

// Of a group, from the 32 bytes at `at`.
fn fifthBits(at: u32, group: u32) -> u32 {
  var bits = 0u;
  for (var i = 0u; i < 8u; i++) {
    bits |= ((wordAt(at + 4u * i) >> group) & 0x01010101u) << i;
  }
  return bits;
}
