
// Where params.hasNorm, 1 / sqrt(mean of squares + epsilon) of rows of the residual stream, from the sums of squares that its
// producers left (mat-vec-residual.wgsl, embed.wgsl); else 1. Read by every workgroup: by the slices together, or where there is
// one, in few loads.

var<workgroup> sliceSquares: array<vec4<f32>, SLICES>;

// Each slice adds up its share, for normScales behind a barrier.
fn keepSquares(rows: vec4<u32>, slice: u32, lane: u32) {
  if (SLICES == 1u || params.hasNorm == 0u) {
    return;
  }
  let tiles = (params.columns + 31u) / 32u;
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

fn normScales(rows: vec4<u32>) -> vec4<f32> {
  if (params.hasNorm == 0u) {
    return vec4<f32>(1.0);
  }
  var totals = vec4<f32>();
  if (SLICES == 1u) {
    totals.x = sumOfTiles(rows.x);
    if (ROWS == 4u) {
      totals.y = sumOfTiles(rows.y);
      totals.z = sumOfTiles(rows.z);
      totals.w = sumOfTiles(rows.w);
    }
  } else {
    for (var slice = 0u; slice < SLICES; slice++) {
      totals += sliceSquares[slice];
    }
  }
  // Written as the one rounding that it may become, so that it is that in every pipeline.
  return 1.0 / sqrt(fma(totals, vec4<f32>(1.0 / f32(params.columns)), vec4<f32>(params.epsilon)));
}

// One slice: a sum for each tile of 32 columns, four a vector, zeros behind the last.
fn sumOfTiles(row: u32) -> f32 {
  let vectors = (params.columns + 127u) / 128u;
  var sums = vec4<f32>();
  for (var i = 0u; i < vectors; i++) {
    sums += squares[row * vectors + i];
  }
  return sumOfVector(sums);
}

fn sumOfVector(v: vec4<f32>) -> f32 {
  return (v.x + v.y) + (v.z + v.w);
}
