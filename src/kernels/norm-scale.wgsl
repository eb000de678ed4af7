
// 1 / sqrt(mean of squares + epsilon) of rows of the residual stream, from the sums of squares that its producer left
// (mat-vec-residual.wgsl). Read by every workgroup: by the slices together, or where there is one, in few loads.

var<workgroup> sliceSquares: array<vec4<f32>, SLICES>;

// Each slice adds up its share, for normScales behind a barrier.
fn keepSquares(rows: vec4<u32>, columns: u32, slice: u32, lane: u32) {
  let tiles = (columns + 31u) / 32u;
  var sums = vec4<f32>();
  for (var i = slice; i < tiles; i += SLICES) {
    sums.x += sumOfVector(squares[rows.x * tiles + i]);
    if (ROWS == 4u) {
      sums.y += sumOfVector(squares[rows.y * tiles + i]);
      sums.z += sumOfVector(squares[rows.z * tiles + i]);
      sums.w += sumOfVector(squares[rows.w * tiles + i]);
    }
  }
  if (lane == 0u) {
    sliceSquares[slice] = sums;
  }
}

fn normScales(rows: vec4<u32>, columns: u32, epsilon: f32) -> vec4<f32> {
  var totals = vec4<f32>();
  if (SLICES == 1u) {
    totals.x = sumOfTiles(rows.x, columns);
    if (ROWS == 4u) {
      totals.y = sumOfTiles(rows.y, columns);
      totals.z = sumOfTiles(rows.z, columns);
      totals.w = sumOfTiles(rows.w, columns);
    }
  } else {
    for (var slice = 0u; slice < SLICES; slice++) {
      totals += sliceSquares[slice];
    }
  }
  return 1.0 / sqrt(totals / f32(columns) + epsilon);
}

// One slice: a sum for each tile of 32 columns, four a vector, zeros behind the last.
fn sumOfTiles(row: u32, columns: u32) -> f32 {
  let vectors = (columns + 127u) / 128u;
  var sums = vec4<f32>();
  for (var i = 0u; i < vectors; i++) {
    sums += squares[row * vectors + i];
  }
  return sumOfVector(sums);
}

fn sumOfVector(v: vec4<f32>) -> f32 {
  return (v.x + v.y) + (v.z + v.w);
}
