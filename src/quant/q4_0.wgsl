
// Q4_0: one vector of nibbles a group; the extra holds d of two groups.
const GROUPS_PER_UNIT = 2u;
const QUANT_VECTORS = 2u;
const EXTRA_WORDS = 1u;
const HAS_OFFSET = true;
const RAW_SCALE = BYTE_SCALE;

fn loadGroup(unit: u32, lane: u32, group: u32) -> Group {
  let q = vectorOf(unit, lane, group);
  let d = halfOf(extraOf(unit, lane, 0u), group);
  return groupOfBytes(lowNibbles(q), highNibbles(q), 8.0, d, -8.0 * d);
}
