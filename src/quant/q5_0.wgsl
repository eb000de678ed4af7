
// Q5_0: one vector of nibbles a group; extras: d of two groups, then the fifth bits of each.
const GROUPS_PER_UNIT = 2u;
const QUANT_VECTORS = 2u;
const EXTRA_WORDS = 3u;
const HAS_OFFSET = true;
const RAW_SCALE = BYTE_SCALE;

fn loadGroup(unit: u32, lane: u32, group: u32) -> Group {
  let q = vectorOf(unit, lane, group);
  let bits = extraOf(unit, lane, 1u + group);
  let d = halfOf(extraOf(unit, lane, 0u), group);
  return groupOfBytes(
    lowNibbles(q) | lowFifthBits(bits),
    highNibbles(q) | highFifthBits(bits),
    16.0,
    d,
    -16.0 * d,
  );
}
