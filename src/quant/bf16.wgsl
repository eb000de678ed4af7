
// BF16: four vectors of pairs a group.
const GROUPS_PER_UNIT = 1u;
const QUANT_VECTORS = 4u;
const EXTRA_WORDS = 0u;
const HAS_OFFSET = false;
const RAW_SCALE = vec4<f32>(1.0);

fn floats_of_uppers(first: u32, second: u32) -> vec4<f32> {
  return bitcast<vec4<f32>>(vec4<u32>(first << 16u, first & 0xffff0000u, second << 16u, second & 0xffff0000u));
}

fn load_group(unit: u32, lane: u32, group: u32) -> Group {
  let a = vector_of(unit, lane, 0u);
  let b = vector_of(unit, lane, 1u);
  let c = vector_of(unit, lane, 2u);
  let d = vector_of(unit, lane, 3u);
  return Group(
    array<vec4<f32>, 8>(
      floats_of_uppers(a.x, a.y), floats_of_uppers(a.z, a.w), floats_of_uppers(b.x, b.y), floats_of_uppers(b.z, b.w),
      floats_of_uppers(c.x, c.y), floats_of_uppers(c.z, c.w), floats_of_uppers(d.x, d.y), floats_of_uppers(d.z, d.w),
    ),
    1.0,
    0.0,
  );
}
