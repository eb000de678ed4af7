
// Q6_K: one vector of low nibbles a group; extras: d, four words of signed scale bytes, two words of high bits a group.
// A group has two scales, so these are multiplied into `raw`.
const GROUPS_PER_UNIT = 8u;
const QUANT_VECTORS = 8u;
const EXTRA_WORDS = 21u;
const HAS_OFFSET = false;
const RAW_SCALE = BYTE_SCALE;

fn scaled_sixths(word: u32, scale: f32) -> vec4<f32> {
  return (floats_of_bytes(word) - vec4<f32>(0x20p0, 0x20p8, 0x20p16, 0x20p24)) * scale;
}

fn high_pairs(bits: u32) -> vec4<u32> {
  return vec4<u32>(bits << 4u, bits << 2u, bits, bits >> 2u) & vec4<u32>(0x30303030u);
}

fn load_group(unit: u32, lane: u32, group: u32) -> Group {
  let q = vector_of(unit, lane, group);
  let low = low_nibbles(q) | high_pairs(extra_of(unit, lane, 5u + 2u * group));
  let high = high_nibbles(q) | high_pairs(extra_of(unit, lane, 6u + 2u * group));
  let scales = bitcast<i32>(extra_of(unit, lane, 1u + (group >> 1u)));
  let at = 16u * (group & 1u);
  let low_scale = f32(extractBits(scales, at, 8u));
  let high_scale = f32(extractBits(scales, at + 8u, 8u));
  return Group(
    array<vec4<f32>, 8>(
      scaled_sixths(low.x, low_scale), scaled_sixths(low.y, low_scale),
      scaled_sixths(low.z, low_scale), scaled_sixths(low.w, low_scale),
      scaled_sixths(high.x, high_scale), scaled_sixths(high.y, high_scale),
      scaled_sixths(high.z, high_scale), scaled_sixths(high.w, high_scale),
    ),
    half_of(extra_of(unit, lane, 0u), 0u),
    0.0,
  );
}
