// Blocks of 32 weights: a scale, perhaps a minimum, perhaps a word of fifth bits, then QUANT_WORDS words of quants, kept as they are.
// Before this: QUANTS_AT, where those begin; QUANT_WORDS; HAS_MINIMUM, where the first word of a block holds scale and minimum.

fn quantWord(at: u32, blocks: u32, word: u32) -> u32 {
  let block = word / QUANT_WORDS;
  if (block >= blocks) {
    return 0u;
  }
  return wordAt(at + block * BLOCK_BYTES + QUANTS_AT + word % QUANT_WORDS * 4u);
}

fn extraWord(at: u32, blocks: u32, word: u32) -> u32 {
  if (word > blocks) {
    return 0u;
  }
  if (word > 0u) {
    return spreadFifthBits(wordAt(at + (word - 1u) * BLOCK_BYTES + QUANTS_AT - 4u));
  }
  if (HAS_MINIMUM) {
    return wordAt(at);
  }
  // The scales of two blocks.
  let scale = halfAt(at);
  if (blocks < 2u) {
    return scale;
  }
  return scale | (halfAt(at + BLOCK_BYTES) << 16u);
}

// Bit 4 i + b goes to bit 8 b + i, so that `word >> i` has the bits of weights 4 i ... 4 i + 3 at the foot of its bytes.
fn spreadFifthBits(bits: u32) -> u32 {
  var spread = 0u;
  for (var i = 0u; i < 8u; i++) {
    // The product puts copies of the four bits 7 apart; each byte keeps the one that is its own.
    spread |= ((((bits >> (4u * i)) & 15u) * 0x204081u) & 0x01010101u) << i;
  }
  return spread;
}
