
// Groups for arithmetic in f16. Weights 4 i + (0, 2, 1, 3) of the group are
//   scales[0 for i < 4, 1 for others] * raw[i] + offset
// with `raw` whole numbers up to 128, which are exact, and around 0, so that their sums with x are small and rounded little. A half of 1024 + n has n in its lowest bits, so that two bytes become two halves
// by masks, in the order in which they lie in a word.
struct Group {
  raw: array<vec4<f16>, 8>,
  scales: vec2<f32>,
  offset: f32,
}

fn halvesOfBytes(word: u32, bias: f16) -> vec4<f16> {
  let pairs = (vec2<u32>(word, word >> 8u) & vec2<u32>(0x00ff00ffu)) | vec2<u32>(0x64006400u);
  return bitcast<vec4<f16>>(pairs) - vec4<f16>(1024.0h + bias);
}

fn groupOf(low: vec4<u32>, high: vec4<u32>, bias: f16, scales: vec2<f32>, offset: f32) -> Group {
  return Group(
    array<vec4<f16>, 8>(
      halvesOfBytes(low.x, bias), halvesOfBytes(low.y, bias), halvesOfBytes(low.z, bias), halvesOfBytes(low.w, bias),
      halvesOfBytes(high.x, bias), halvesOfBytes(high.y, bias), halvesOfBytes(high.z, bias), halvesOfBytes(high.w, bias),
    ),
    scales,
    offset,
  );
}

fn groupOfBytes(low: vec4<u32>, high: vec4<u32>, middle: f32, scale: f32, offset: f32) -> Group {
  return groupOf(low, high, f16(middle), vec2<f32>(scale), fma(middle, scale, offset));
}

fn groupOfSignedBytes(low: vec4<u32>, high: vec4<u32>, scale: f32) -> Group {
  let flip = vec4<u32>(0x80808080u);
  return groupOf(low ^ flip, high ^ flip, 128.0h, vec2<f32>(scale), 0.0);
}

fn groupOfSixBits(low: vec4<u32>, high: vec4<u32>, scales: vec2<f32>, scale: f32) -> Group {
  return groupOf(low, high, 32.0h, scales * scale, 0.0);
}
