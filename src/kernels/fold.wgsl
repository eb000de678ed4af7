
// Adds the products of four numbers with four columns of x: of each column a component for each of four rows.
fn fold(sum: vec4<f32>, w: vec4<f32>, x: mat4x4<f32>) -> vec4<f32> {
  let first = fma(vec4<f32>(w.y), x[1], fma(vec4<f32>(w.x), x[0], sum));
  return fma(vec4<f32>(w.w), x[3], fma(vec4<f32>(w.z), x[2], first));
}
