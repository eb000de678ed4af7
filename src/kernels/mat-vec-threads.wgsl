
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

// Slices whose sums are added up at once, in 8 KiB.
override AT_ONCE = min(SLICES, 512u / (SIDES * PART));

// Of each of the kernel's SIDES, and of each of those slices, what it adds to the rows of the part. A component for each row of x.
var<workgroup> partials: array<vec4<f32>, SIDES * AT_ONCE * PART>;

// What a workgroup computes: part `part` of the matrix with rows of x from `row` on.
struct Share {
  part: u32,
  row: u32,
}

// Workgroups that take one part for different rows of x are neighbours, so that the part is still in a cache.
fn shareOf(workgroup: vec3<u32>, workgroups: vec3<u32>, count: u32) -> Share {
  let index = workgroup.x + workgroup.z * workgroups.x;
  let shares = max((count + ROWS - 1u) / ROWS, 1u);
  return Share(index / shares, index % shares * ROWS);
}

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

// Of row `thread` of the part, if it has so many: the sums of all slices, in their order. Where there is one slice, lanes have their
// rows' sums themselves.
fn totalsOf(sums: array<Sums, SIDES>, slice: u32, lane: u32, thread: u32) -> array<vec4<f32>, SIDES> {
  var totals: array<vec4<f32>, SIDES>;
  for (var begin = 0u; begin < SLICES; begin += AT_ONCE) {
    if (begin > 0u) {
      workgroupBarrier(); // those before may still be read
    }
    if (slice >= begin && slice < begin + AT_ONCE) {
      for (var side = 0u; side < SIDES; side++) {
        keepPartials((side * AT_ONCE + slice - begin) * PART + lane, sums[side]);
      }
    }
    workgroupBarrier();
    if (thread < PART) {
      for (var side = 0u; side < SIDES; side++) {
        for (var i = 0u; i < AT_ONCE; i++) {
          totals[side] += partials[(side * AT_ONCE + i) * PART + thread];
        }
      }
    }
  }
  return totals;
}

// Of four rows a lane at most.
fn keepPartials(at: u32, sums: Sums) {
  partials[at] = sums.a[0];
  if (PER_LANE > 1u) {
    partials[at + LANES] = sums.a[1];
  }
  if (PER_LANE > 2u) {
    partials[at + 2u * LANES] = sums.a[2];
    partials[at + 3u * LANES] = sums.a[3];
  }
}
