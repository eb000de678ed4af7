
// Bits of a float without its sign are in the order of the floats, with NaN above all: so that what is no number stays none.
fn largestOf(x: array<vec4<f32>, 8>) -> f32 {
  let all = max(max(max(sizes(x[0]), sizes(x[1])), max(sizes(x[2]), sizes(x[3]))),
    max(max(sizes(x[4]), sizes(x[5])), max(sizes(x[6]), sizes(x[7]))));
  return bitcast<f32>(max(max(all.x, all.y), max(all.z, all.w)));
}

fn sizes(x: vec4<f32>) -> vec4<u32> {
  return bitcast<vec4<u32>>(x) & vec4<u32>(0x7fffffffu);
}
