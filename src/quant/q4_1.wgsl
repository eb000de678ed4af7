
// Q4_1: one vector of nibbles a group; the extra holds d and m.
const GROUPS_PER_UNIT = 1u;
const QUANT_VECTORS = 1u;
const EXTRA_WORDS = 1u;
const HAS_OFFSET = true;
const RAW_SCALE = BYTE_SCALE;

fn load_group(unit: u32, lane: u32, group: u32) -> Group {
  let q = vector_of(unit, lane, 0u);
  let d_m = unpack2x16float(extra_of(unit, lane, 0u));
  return group_of_bytes(low_nibbles(q), high_nibbles(q), d_m.x, d_m.y);
}
