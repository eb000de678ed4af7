
// The mat-vec kernels' arithmetic in f32: groups of the matrix times one row of x or four, so that four rows read and decode the
// matrix once. `loadX` comes from a file of its own: see mat-vec-variant.ts.
// Sums are chains of fma throughout. A compiler may contract a product and a sum in one pipeline and not in another, and a
// row's bits must not depend on how many rows are computed with it.

// Groups of x that are made ready at once: all, since they are read where they lie.
const STAGED = 0x80000000u;

fn stageX(first: vec4<u32>, quads: u32, start: u32, thread: u32) {}

// A group of each row of x that a workgroup takes; only `a` where that is one.
struct GroupOfX {
  a: array<vec4<f32>, 8>,
  b: array<vec4<f32>, 8>,
  c: array<vec4<f32>, 8>,
  d: array<vec4<f32>, 8>,
  // What sumOf gives of each.
  sums: vec4<f32>,
}

fn loadRows(first: vec4<u32>, quads: u32, i: u32, lane: u32) -> GroupOfX {
  var x: GroupOfX;
  x.a = loadX(first.x, quads, i, lane);
  x.sums.x = sumOf(x.a);
  if (ROWS == 4u) {
    x.b = loadX(first.y, quads, i, lane);
    x.sums.y = sumOf(x.b);
    x.c = loadX(first.z, quads, i, lane);
    x.sums.z = sumOf(x.c);
    x.d = loadX(first.w, quads, i, lane);
    x.sums.w = sumOf(x.d);
  }
  return x;
}

// A component for each row of x: sums + its product with a group of one row of the matrix.
fn addDots(sums: vec4<f32>, group: Group, x: GroupOfX) -> vec4<f32> {
  var result = sums;
  result.x = addDot(sums.x, group, x.a, x.sums.x);
  if (ROWS == 4u) {
    result.y = addDot(sums.y, group, x.b, x.sums.y);
    result.z = addDot(sums.z, group, x.c, x.sums.z);
    result.w = addDot(sums.w, group, x.d, x.sums.w);
  }
  return result;
}

fn addDot(total: f32, group: Group, x: array<vec4<f32>, 8>, sum: f32) -> f32 {
  let even = fma(group.raw[6], x[6], fma(group.raw[4], x[4], fma(group.raw[2], x[2], group.raw[0] * x[0])));
  let odd = fma(group.raw[7], x[7], fma(group.raw[5], x[5], fma(group.raw[3], x[3], group.raw[1] * x[1])));
  let raw = even + odd;
  let dot = fma(raw.w, RAW_SCALE.w, fma(raw.z, RAW_SCALE.z, fma(raw.y, RAW_SCALE.y, raw.x * RAW_SCALE.x)));
  let product = fma(group.scale, dot, total);
  if (HAS_OFFSET) {
    return fma(group.offset, sum, product);
  }
  return product;
}
