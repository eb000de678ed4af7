
// How the mat-vec kernels deal out a tile of 32 rows of a matrix, appended to each.

// Rows of x that a workgroup takes: 1 or 4.
override ROWS: u32;
// Threads side by side, each with rows of the matrix of its own: 4, 8, 16 or 32.
override LANES: u32;
// Rows of the matrix of each lane: 1, 2, 4 or 8, LANES apart.
override PER_LANE: u32;
// In how many slices the groups of the columns are dealt out, each to LANES threads of their own.
override SLICES: u32;
// Rows of the matrix of a workgroup: a tile, or a half or a quarter of one.
override PART = LANES * PER_LANE;

// Of each of the kernel's SIDES, and of each slice, what it adds to the rows of the part. A component for each row of x.
var<workgroup> partials: array<vec4<f32>, SIDES * SLICES * PART>;

// Where the rows of x start that a workgroup takes. Rows beyond the last repeat it, and are not written.
fn rowsFrom(row: u32, count: u32) -> vec4<u32> {
  return min(vec4<u32>(row, row + 1u, row + 2u, row + 3u), vec4<u32>(count - 1u));
}

// Of each of a lane's rows of the matrix, four in each; a component for each row of x.
struct Sums {
  a: mat4x4<f32>,
  b: mat4x4<f32>,
}

// Adds a group's products. `first`: the lane's first row in its tile.
fn addTile(before: Sums, unit: u32, first: u32, group: u32, x: GroupOfX) -> Sums {
  var sums = before;
  sums.a[0] = addDots(sums.a[0], loadGroup(unit, first, group), x);
  if (PER_LANE > 1u) {
    sums.a[1] = addDots(sums.a[1], loadGroup(unit, first + LANES, group), x);
  }
  if (PER_LANE > 2u) {
    sums.a[2] = addDots(sums.a[2], loadGroup(unit, first + 2u * LANES, group), x);
    sums.a[3] = addDots(sums.a[3], loadGroup(unit, first + 3u * LANES, group), x);
  }
  if (PER_LANE > 4u) {
    sums.b[0] = addDots(sums.b[0], loadGroup(unit, first + 4u * LANES, group), x);
    sums.b[1] = addDots(sums.b[1], loadGroup(unit, first + 5u * LANES, group), x);
    sums.b[2] = addDots(sums.b[2], loadGroup(unit, first + 6u * LANES, group), x);
    sums.b[3] = addDots(sums.b[3], loadGroup(unit, first + 7u * LANES, group), x);
  }
  return sums;
}

// The same, for a CPU in less code: unrolled, four rows of x make more than its first cache holds. (Of the three
// kernels mat-vec-residual alone was slower with it.)
fn addTileRolled(before: Sums, unit: u32, first: u32, group: u32, x: GroupOfX) -> Sums {
  if (!ROLLED || ROWS == 1u) {
    return addTile(before, unit, first, group, x);
  }
  var sums = before;
  // No constant to the compiler, which would unroll it.
  for (var i = 0u; i < min(4u, 4u * params.columns); i++) {
    let next = addDots(sums.a[0], loadGroup(unit, first + i * LANES, group), x);
    sums.a = mat4x4<f32>(sums.a[1], sums.a[2], sums.a[3], next);
  }
  return sums;
}

// Leaves a slice's sums for totalOf, behind a barrier; of four rows a lane at most. Where there is one slice, lanes have their rows'
// sums themselves.
fn keepPartials(side: u32, slice: u32, lane: u32, sums: Sums) {
  let at = (side * SLICES + slice) * PART + lane;
  partials[at] = sums.a[0];
  if (PER_LANE > 1u) {
    partials[at + LANES] = sums.a[1];
  }
  if (PER_LANE > 2u) {
    partials[at + 2u * LANES] = sums.a[2];
    partials[at + 3u * LANES] = sums.a[3];
  }
}

// Of row n of the part.
fn totalOf(side: u32, n: u32) -> vec4<f32> {
  var total = vec4<f32>();
  for (var slice = 0u; slice < SLICES; slice++) {
    total += partials[(side * SLICES + slice) * PART + n];
  }
  return total;
}
