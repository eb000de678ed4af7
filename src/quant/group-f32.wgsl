
// Groups for arithmetic in f32. Weight 4 i + b of the group is
//   scale * RAW_SCALE[b] * raw[i][b] + offset
// RAW_SCALE and scale are left to the caller, to apply once to a sum. signed-bytes.wgsl is appended.
struct Group {
  raw: array<vec4<f32>, 8>,
  scale: f32,
  offset: f32,
}

// Four bytes below 128. They become floats where they stand, by masks, and RAW_SCALE takes them down: shifts are slow on CPU
// adapters.
fn floatsOfBytes(word: u32) -> vec4<f32> {
  return vec4<f32>(vec4<i32>(vec4<u32>(word) & vec4<u32>(0xffu, 0xff00u, 0xff0000u, 0x7f000000u)));
}

fn groupOfBytes(low: vec4<u32>, high: vec4<u32>, middle: f32, scale: f32, offset: f32) -> Group {
  return Group(
    array<vec4<f32>, 8>(
      floatsOfBytes(low.x), floatsOfBytes(low.y), floatsOfBytes(low.z), floatsOfBytes(low.w),
      floatsOfBytes(high.x), floatsOfBytes(high.y), floatsOfBytes(high.z), floatsOfBytes(high.w),
    ),
    scale,
    offset,
  );
}

fn groupOfSignedBytes(low: vec4<u32>, high: vec4<u32>, scale: f32) -> Group {
  return Group(
    array<vec4<f32>, 8>(
      floatsOfSignedBytes(low.x), floatsOfSignedBytes(low.y), floatsOfSignedBytes(low.z), floatsOfSignedBytes(low.w),
      floatsOfSignedBytes(high.x), floatsOfSignedBytes(high.y), floatsOfSignedBytes(high.z), floatsOfSignedBytes(high.w),
    ),
    scale,
    0.0,
  );
}

// A group has two scales, so these are multiplied into `raw`.
fn groupOfSixBits(low: vec4<u32>, high: vec4<u32>, scales: vec2<f32>, scale: f32) -> Group {
  return Group(
    array<vec4<f32>, 8>(
      scaledBytes(low.x, scales.x), scaledBytes(low.y, scales.x), scaledBytes(low.z, scales.x), scaledBytes(low.w, scales.x),
      scaledBytes(high.x, scales.y), scaledBytes(high.y, scales.y), scaledBytes(high.z, scales.y), scaledBytes(high.w, scales.y),
    ),
    scale,
    0.0,
  );
}

fn scaledBytes(word: u32, scale: f32) -> vec4<f32> {
  return (floatsOfBytes(word) - vec4<f32>(0x20p0, 0x20p8, 0x20p16, 0x20p24)) * scale;
}

// The sum of weight times x over the group; `sum` is that of x alone, as sumOf gives it where HAS_OFFSET.
fn dotGroup(group: Group, x: array<vec4<f32>, 8>, sum: f32) -> f32 {
  let raw = ((group.raw[0] * x[0] + group.raw[1] * x[1]) + (group.raw[2] * x[2] + group.raw[3] * x[3]))
    + ((group.raw[4] * x[4] + group.raw[5] * x[5]) + (group.raw[6] * x[6] + group.raw[7] * x[7]));
  let product = group.scale * dot(raw, RAW_SCALE);
  if (HAS_OFFSET) {
    return product + group.offset * sum;
  }
  return product;
}

fn sumOf(x: array<vec4<f32>, 8>) -> f32 {
  if (HAS_OFFSET) {
    return dot(((x[0] + x[1]) + (x[2] + x[3])) + ((x[4] + x[5]) + (x[6] + x[7])), vec4<f32>(1.0));
  }
  return 0.0;
}
