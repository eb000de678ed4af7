
// F16: four vectors of pairs a group.
const GROUPS_PER_UNIT = 1u;
const QUANT_VECTORS = 4u;
const EXTRA_WORDS = 0u;
const HAS_OFFSET = false;
const RAW_SCALE = vec4<f32>(1.0);

fn floatsOfHalves(first: u32, second: u32) -> vec4<f32> {
  return vec4<f32>(unpack2x16float(first), unpack2x16float(second));
}

fn loadGroup(unit: u32, lane: u32, group: u32) -> Group {
  let a = vectorOf(unit, lane, 0u);
  let b = vectorOf(unit, lane, 1u);
  let c = vectorOf(unit, lane, 2u);
  let d = vectorOf(unit, lane, 3u);
  return Group(
    array<vec4<f32>, 8>(
      floatsOfHalves(a.x, a.y), floatsOfHalves(a.z, a.w), floatsOfHalves(b.x, b.y), floatsOfHalves(b.z, b.w),
      floatsOfHalves(c.x, c.y), floatsOfHalves(c.z, c.w), floatsOfHalves(d.x, d.y), floatsOfHalves(d.z, d.w),
    ),
    1.0,
    0.0,
  );
}
