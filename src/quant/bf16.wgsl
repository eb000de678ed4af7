
// BF16: four vectors of pairs a group.
const GROUPS_PER_UNIT = 1u;
const QUANT_VECTORS = 4u;
const EXTRA_WORDS = 0u;
const HAS_OFFSET = false;
const RAW_SCALE = vec4<f32>(1.0);

fn floatsOfUppers(first: u32, second: u32) -> vec4<f32> {
  return bitcast<vec4<f32>>(vec4<u32>(first << 16u, first & 0xffff0000u, second << 16u, second & 0xffff0000u));
}

fn loadGroup(unit: u32, lane: u32, group: u32) -> Group {
  let a = vectorOf(unit, lane, 0u);
  let b = vectorOf(unit, lane, 1u);
  let c = vectorOf(unit, lane, 2u);
  let d = vectorOf(unit, lane, 3u);
  return Group(
    array<vec4<f32>, 8>(
      floatsOfUppers(a.x, a.y), floatsOfUppers(a.z, a.w), floatsOfUppers(b.x, b.y), floatsOfUppers(b.z, b.w),
      floatsOfUppers(c.x, c.y), floatsOfUppers(c.z, c.w), floatsOfUppers(d.x, d.y), floatsOfUppers(d.z, d.w),
    ),
    1.0,
    0.0,
  );
}
