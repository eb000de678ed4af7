
// Groups for arithmetic with signed bytes, which stay packed, four in a word. A weight is scales[0 for low, 1 for high] * byte + offset.
struct Group {
  low: vec4<u32>,
  high: vec4<u32>,
  scales: vec2<f32>,
  offset: f32,
}

fn groupOfBytes(low: vec4<u32>, high: vec4<u32>, middle: f32, scale: f32, offset: f32) -> Group {
  return Group(low, high, vec2<f32>(scale), offset);
}

fn groupOfSignedBytes(low: vec4<u32>, high: vec4<u32>, scale: f32) -> Group {
  return Group(low, high, vec2<f32>(scale), 0.0);
}

fn groupOfSixBits(low: vec4<u32>, high: vec4<u32>, scales: vec2<f32>, scale: f32) -> Group {
  return Group(lessThirtyTwo(low), lessThirtyTwo(high), scales * scale, 0.0);
}

// 32 less in each byte, of which six bits count: those of two's complement but for bit 5, whose complement is the sign.
fn lessThirtyTwo(q: vec4<u32>) -> vec4<u32> {
  let flipped = q ^ vec4<u32>(0x20202020u);
  let sign = flipped & vec4<u32>(0x20202020u);
  return flipped | (sign << vec4<u32>(1u)) | (sign << vec4<u32>(2u));
}
