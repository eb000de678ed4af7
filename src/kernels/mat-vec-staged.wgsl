
// x of the mat-vec kernels in a form of its own, made in workgroup memory by a thread for each group, a part of the columns at a
// time. What the form is, and its products: a `Staged`, a stagedOf and an addDot follow, and largest.wgsl. Chains of fma, as in
// mat-vec-tile.wgsl.

// Groups of x that are made ready at once, of each row of x.
override STAGED = LANES * SLICES / ROWS;
var<workgroup> staged: array<Staged, LANES * SLICES>;

// A group of each row of x that a workgroup takes; only `a` where that is one.
struct GroupOfX {
  a: Staged,
  b: Staged,
  c: Staged,
  d: Staged,
}

// From group `start` on.
fn stageX(first: vec4<u32>, quads: u32, start: u32, thread: u32) {
  workgroupBarrier(); // the part before may still be read
  // Past the last group it is made again, and nobody reads it.
  let i = min(start + thread % STAGED, (quads - 1u) / 8u);
  staged[thread] = stagedOf(loadX(first[thread / STAGED], quads, i, 0u));
  workgroupBarrier();
}

fn loadRows(first: vec4<u32>, quads: u32, i: u32, lane: u32) -> GroupOfX {
  var x: GroupOfX;
  let at = i % STAGED;
  x.a = staged[at];
  if (ROWS == 4u) {
    x.b = staged[at + STAGED];
    x.c = staged[at + 2u * STAGED];
    x.d = staged[at + 3u * STAGED];
  }
  return x;
}

// A component for each row of x: sums + its product with a group of one row of the matrix.
fn addDots(sums: vec4<f32>, group: Group, x: GroupOfX) -> vec4<f32> {
  var result = sums;
  result.x = addDot(sums.x, group, x.a);
  if (ROWS == 4u) {
    result.y = addDot(sums.y, group, x.b);
    result.z = addDot(sums.z, group, x.c);
    result.w = addDot(sums.w, group, x.d);
  }
  return result;
}
