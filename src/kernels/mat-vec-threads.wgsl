
// How the mat-vec kernels deal out a tile of 32 rows of a matrix, appended to each.

// Rows of x that a workgroup takes: 1 or 4.
override ROWS: u32;
// Threads that share a tile's rows, 32 / LANES to each: 8, 16 or 32. A lane owns rows lane, lane + LANES, ...
override LANES: u32;
// In how many slices the groups of the columns are dealt out, each to LANES threads of their own.
override SLICES: u32;

// Where the rows of x start that a workgroup takes. Rows beyond the last repeat it, and are not written.
fn rowsFrom(row: u32, count: u32) -> vec4<u32> {
  return min(vec4<u32>(row, row + 1u, row + 2u, row + 3u), vec4<u32>(count - 1u));
}

// Adds a group's products: a column for each of the lane's rows of the matrix, a component for each row of x.
fn addTile(before: mat4x4<f32>, unit: u32, lane: u32, group: u32, x: GroupOfX) -> mat4x4<f32> {
  var sums = before;
  sums[0] = addDots(sums[0], loadGroup(unit, lane, group), x);
  if (LANES <= 16u) {
    sums[1] = addDots(sums[1], loadGroup(unit, lane + LANES, group), x);
  }
  if (LANES <= 8u) {
    sums[2] = addDots(sums[2], loadGroup(unit, lane + 16u, group), x);
    sums[3] = addDots(sums[3], loadGroup(unit, lane + 24u, group), x);
  }
  return sums;
}

// The same, for a CPU in less code: unrolled, four rows of x make more than its first cache holds. (Of the three
// kernels mat-vec-residual alone was slower with it.)
fn addTileRolled(before: mat4x4<f32>, unit: u32, lane: u32, group: u32, x: GroupOfX) -> mat4x4<f32> {
  if (!ROLLED || ROWS == 1u) {
    return addTile(before, unit, lane, group, x);
  }
  var sums = before;
  // No constant to the compiler, which would unroll it.
  for (var i = 0u; i < min(4u, 4u * params.columns); i++) {
    let next = addDots(sums[0], loadGroup(unit, lane + i * LANES, group), x);
    sums = mat4x4<f32>(sums[1], sums[2], sums[3], next);
  }
  return sums;
}
