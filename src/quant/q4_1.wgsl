
// Q4_1: one vector of nibbles a group; the extra holds d and m.
const GROUPS_PER_UNIT = 1u;
const QUANT_VECTORS = 1u;
const EXTRA_WORDS = 1u;
const HAS_OFFSET = true;
const RAW_SCALE = BYTE_SCALE;

fn loadGroup(unit: u32, lane: u32, group: u32) -> Group {
  let q = vectorOf(unit, lane, 0u);
  let dm = unpack2x16float(extraOf(unit, lane, 0u));
  return groupOfBytes(lowNibbles(q), highNibbles(q), 8.0, dm.x, dm.y);
}
