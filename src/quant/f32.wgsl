
// F32: eight vectors a group.
const GROUPS_PER_UNIT = 1u;
const QUANT_VECTORS = 8u;
const EXTRA_WORDS = 0u;
const HAS_OFFSET = false;
const RAW_SCALE = vec4<f32>(1.0);

fn loadGroup(unit: u32, lane: u32, group: u32) -> Group {
  return Group(
    array<vec4<f32>, 8>(
      bitcast<vec4<f32>>(vectorOf(unit, lane, 0u)), bitcast<vec4<f32>>(vectorOf(unit, lane, 1u)),
      bitcast<vec4<f32>>(vectorOf(unit, lane, 2u)), bitcast<vec4<f32>>(vectorOf(unit, lane, 3u)),
      bitcast<vec4<f32>>(vectorOf(unit, lane, 4u)), bitcast<vec4<f32>>(vectorOf(unit, lane, 5u)),
      bitcast<vec4<f32>>(vectorOf(unit, lane, 6u)), bitcast<vec4<f32>>(vectorOf(unit, lane, 7u)),
    ),
    1.0,
    0.0,
  );
}
