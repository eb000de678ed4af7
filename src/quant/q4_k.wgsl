
// Q4_K: one vector of nibbles a group; extras: (d, dmin), two words of scale bytes, two of minimum bytes.
const GROUPS_PER_UNIT = 8u;
const QUANT_VECTORS = 8u;
const EXTRA_WORDS = 5u;
const HAS_OFFSET = true;
const RAW_SCALE = BYTE_SCALE;

fn load_group(unit: u32, lane: u32, group: u32) -> Group {
  let q = vector_of(unit, lane, group);
  let d_dmin = unpack2x16float(extra_of(unit, lane, 0u));
  let byte = 8u * (group & 3u);
  let scale = f32(extractBits(extra_of(unit, lane, 1u + (group >> 2u)), byte, 8u));
  let minimum = f32(extractBits(extra_of(unit, lane, 3u + (group >> 2u)), byte, 8u));
  return group_of_bytes(low_nibbles(q), high_nibbles(q), d_dmin.x * scale, -d_dmin.y * minimum);
}
