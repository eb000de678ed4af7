
// Q5_0: one vector of nibbles a group; extras: d of two groups, then the fifth bits of each.
const GROUPS_PER_UNIT = 2u;
const QUANT_VECTORS = 2u;
const EXTRA_WORDS = 3u;
const HAS_OFFSET = true;
const RAW_SCALE = BYTE_SCALE;

fn load_group(unit: u32, lane: u32, group: u32) -> Group {
  let q = vector_of(unit, lane, group);
  let bits = extra_of(unit, lane, 1u + group);
  let d = half_of(extra_of(unit, lane, 0u), group);
  return group_of_bytes(
    low_nibbles(q) | low_fifth_bits(bits),
    high_nibbles(q) | high_fifth_bits(bits),
    d,
    -16.0 * d,
  );
}
