
// 1 / sqrt(mean of squares + epsilon) of a row of the residual stream, from the sums of squares that its producer left: one for
// each 32 columns, four a vector, zeros behind the last.
fn normScale(row: u32, columns: u32, epsilon: f32) -> f32 {
  let vectors = (columns + 127u) / 128u;
  var sums = vec4<f32>();
  for (var i = 0u; i < vectors; i++) {
    sums += squares[row * vectors + i];
  }
  return 1.0 / sqrt(((sums.x + sums.y) + (sums.z + sums.w)) / f32(columns) + epsilon);
}
