// q6_k.ts describes both forms.

fn quantWord(at: u32, blocks: u32, word: u32) -> u32 {
  let group = word / 4u;
  return nibblesAt(at + group / 4u * 64u + group % 2u * 32u, group / 2u % 2u * 4u, word % 4u);
}

fn extraWord(at: u32, blocks: u32, word: u32) -> u32 {
  if (word == 0u) {
    return halfAt(at + 208u);
  }
  if (word < 5u) {
    return wordAt(at + 188u + 4u * word);
  }
  // Pairs of high bits: of a group, of its first or its last 16 weights.
  let group = (word - 5u) / 2u;
  let pairsAt = at + 128u + group / 4u * 32u + (word - 5u) % 2u * 16u;
  var pairs = 0u;
  for (var i = 0u; i < 4u; i++) {
    pairs |= ((wordAt(pairsAt + 4u * i) >> (group % 4u * 2u)) & 0x03030303u) << (2u * i);
  }
  return pairs;
}
