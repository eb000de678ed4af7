
// Q5_K: as Q4_K, and one more extra for each group with its fifth bits.
const GROUPS_PER_UNIT = 8u;
const QUANT_VECTORS = 8u;
const EXTRA_WORDS = 13u;
const HAS_OFFSET = true;
const RAW_SCALE = BYTE_SCALE;

fn load_group(unit: u32, lane: u32, group: u32) -> Group {
  let q = vector_of(unit, lane, group);
  let bits = extra_of(unit, lane, 5u + group);
  let d_dmin = unpack2x16float(extra_of(unit, lane, 0u));
  let byte = 8u * (group & 3u);
  let scale = f32(extractBits(extra_of(unit, lane, 1u + (group >> 2u)), byte, 8u));
  let minimum = f32(extractBits(extra_of(unit, lane, 3u + (group >> 2u)), byte, 8u));
  return group_of_bytes(
    low_nibbles(q) | low_fifth_bits(bits),
    high_nibbles(q) | high_fifth_bits(bits),
    d_dmin.x * scale,
    -d_dmin.y * minimum,
  );
}
