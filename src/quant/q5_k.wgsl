
// Q5_K: as Q4_K, and one more extra for each group with its fifth bits.
const GROUPS_PER_UNIT = 8u;
const QUANT_VECTORS = 8u;
const EXTRA_WORDS = 13u;
const HAS_OFFSET = true;
const RAW_SCALE = BYTE_SCALE;

fn loadGroup(unit: u32, lane: u32, group: u32) -> Group {
  let q = vectorOf(unit, lane, group);
  let bits = extraOf(unit, lane, 5u + group);
  let scales = unpack2x16float(extraOf(unit, lane, 0u));
  let byte = 8u * (group & 3u);
  let scale = f32(extractBits(extraOf(unit, lane, 1u + (group >> 2u)), byte, 8u));
  let minimum = f32(extractBits(extraOf(unit, lane, 3u + (group >> 2u)), byte, 8u));
  return groupOfBytes(
    lowNibbles(q) | lowFifthBits(bits),
    highNibbles(q) | highFifthBits(bits),
    16.0,
    scales.x * scale,
    -scales.y * minimum,
  );
}
