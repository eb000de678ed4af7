
// Q4_K: one vector of nibbles a group; extras: (d, dmin), two words of scale bytes, two of minimum bytes.
const GROUPS_PER_UNIT = 8u;
const QUANT_VECTORS = 8u;
const EXTRA_WORDS = 5u;
const HAS_OFFSET = true;
const RAW_SCALE = BYTE_SCALE;

fn loadGroup(unit: u32, lane: u32, group: u32) -> Group {
  let q = vectorOf(unit, lane, group);
  let scales = unpack2x16float(extraOf(unit, lane, 0u));
  let byte = 8u * (group & 3u);
  let scale = f32(extractBits(extraOf(unit, lane, 1u + (group >> 2u)), byte, 8u));
  let minimum = f32(extractBits(extraOf(unit, lane, 3u + (group >> 2u)), byte, 8u));
  return groupOfBytes(lowNibbles(q), highNibbles(q), 8.0, scales.x * scale, -scales.y * minimum);
}
