// Numbers as they are: the last word of an odd row of halves has one.

fn quantWord(at: u32, blocks: u32, word: u32) -> u32 {
  let left = i32(blocks * BLOCK_BYTES) - i32(word * 4u);
  if (left >= 4) {
    return wordAt(at + word * 4u);
  }
  if (left > 0) {
    return halfAt(at + word * 4u);
  }
  return 0u;
}

fn extraWord(at: u32, blocks: u32, word: u32) -> u32 {
  return 0u;
}
