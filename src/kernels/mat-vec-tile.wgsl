
// What the mat-vec kernels share, appended to each: a tile of 32 rows of a matrix, four rows to each of 8 lanes, times one row
// of x or four, so that four rows read and decode the matrix once. `loadX` comes from a file of its own: see mat-vec-variant.ts.
// Sums are chains of fma throughout. A compiler may contract a product and a sum in one pipeline and not in another, and a
// row's bits must not depend on how many rows are computed with it.

// Rows of x that a workgroup takes: 1 or 4.
override ROWS: u32;
// In how many slices the groups of the columns are dealt out, each to 8 threads of their own.
override SLICES: u32;
const LANES = 8u;

// One group of the rows lane, lane + 8, lane + 16 and lane + 24 of a tile.
struct FourRows {
  a: Group,
  b: Group,
  c: Group,
  d: Group,
}

fn loadRows(unit: u32, lane: u32, group: u32) -> FourRows {
  return FourRows(
    loadGroup(unit, lane, group),
    loadGroup(unit, lane + 8u, group),
    loadGroup(unit, lane + 16u, group),
    loadGroup(unit, lane + 24u, group),
  );
}

// sums + the four rows' products with a group of x; `sum` is sumOf(x).
fn addDots(sums: vec4<f32>, rows: FourRows, x: array<vec4<f32>, 8>, sum: f32) -> vec4<f32> {
  return vec4<f32>(
    addDot(sums.x, rows.a, x, sum),
    addDot(sums.y, rows.b, x, sum),
    addDot(sums.z, rows.c, x, sum),
    addDot(sums.w, rows.d, x, sum),
  );
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

// Where the rows of x start that a workgroup takes. Rows beyond the last repeat it, and are not written.
fn rowsFrom(row: u32, count: u32) -> vec4<u32> {
  return min(vec4<u32>(row, row + 1u, row + 2u, row + 3u), vec4<u32>(count - 1u));
}
