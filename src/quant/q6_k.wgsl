
// Q6_K: one vector of low nibbles a group; extras: d, four words of signed scale bytes, two words of high bits a group.
const GROUPS_PER_UNIT = 8u;
const QUANT_VECTORS = 8u;
const EXTRA_WORDS = 21u;
const HAS_OFFSET = false;
const RAW_SCALE = BYTE_SCALE;

fn highPairs(bits: u32) -> vec4<u32> {
  return vec4<u32>(bits << 4u, bits << 2u, bits, bits >> 2u) & vec4<u32>(0x30303030u);
}

fn loadGroup(unit: u32, lane: u32, group: u32) -> Group {
  let q = vectorOf(unit, lane, group);
  let low = lowNibbles(q) | highPairs(extraOf(unit, lane, 5u + 2u * group));
  let high = highNibbles(q) | highPairs(extraOf(unit, lane, 6u + 2u * group));
  let scales = bitcast<i32>(extraOf(unit, lane, 1u + (group >> 1u)));
  let at = 16u * (group & 1u);
  let both = vec2<f32>(f32(extractBits(scales, at, 8u)), f32(extractBits(scales, at + 8u, 8u)));
  return groupOfSixBits(low, high, both, halfOf(extraOf(unit, lane, 0u), 0u));
}
