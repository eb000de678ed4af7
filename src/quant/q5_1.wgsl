
// Q5_1: one vector of nibbles a group; extras: (d, m), then the fifth bits.
const GROUPS_PER_UNIT = 1u;
const QUANT_VECTORS = 1u;
const EXTRA_WORDS = 2u;
const HAS_OFFSET = true;
const RAW_SCALE = BYTE_SCALE;

fn load_group(unit: u32, lane: u32, group: u32) -> Group {
  let q = vector_of(unit, lane, 0u);
  let bits = extra_of(unit, lane, 1u);
  let d_m = unpack2x16float(extra_of(unit, lane, 0u));
  return group_of_bytes(
    low_nibbles(q) | low_fifth_bits(bits),
    high_nibbles(q) | high_fifth_bits(bits),
    d_m.x,
    d_m.y,
  );
}
