
// Q5_1: one vector of nibbles a group; extras: (d, m), then the fifth bits.
const GROUPS_PER_UNIT = 1u;
const QUANT_VECTORS = 1u;
const EXTRA_WORDS = 2u;
const HAS_OFFSET = true;
const RAW_SCALE = BYTE_SCALE;

fn loadGroup(unit: u32, lane: u32, group: u32) -> Group {
  let q = vectorOf(unit, lane, 0u);
  let bits = extraOf(unit, lane, 1u);
  let dm = unpack2x16float(extraOf(unit, lane, 0u));
  return groupOfBytes(
    lowNibbles(q) | lowFifthBits(bits),
    highNibbles(q) | highFifthBits(bits),
    16.0,
    dm.x,
    dm.y,
  );
}
