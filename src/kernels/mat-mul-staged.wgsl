// As mat-mul.wgsl, for GPUs: a workgroup makes TILES tiles of W times ROWS rows of x. Group by group of the columns it lays both into
// workgroup memory, so that a weight is decoded once for all its rows of x. A thread owns 4 or 8 rows of each, strided over the
// workgroup: at one time its neighbours read rows that lie side by side, or the same one. Each product is added up in the order of
// the columns, so that a row's result never depends on the rows beside it.
// Appended are mat-mul-operands.wgsl, the prelude of W's format (see quant/group.wgsl) and its arithmetic: mat-mul-staged-f32.wgsl or
// mat-mul-staged-int8.wgsl. They lay things down, and define
//   fn startsOfX(thread: u32, row: u32, rows: u32) -> vec2<u32>, of Share
//   fn addGroup(sums: Sums, share: Share, i: u32) -> Sums, which stages group i and has addStaged add its products
//   fn rowsOfW(n: u32, k: u32) -> FourOfW and fn rowsOfX(m: u32, k: u32) -> FourOfX, of what is staged
//   fn fold(sums: vec4<f32>, w: one of FourOfW, x: FourOfX) -> vec4<f32>, with the products of one row of W, one for each row of x

@group(0) @binding(0) var<storage, read> input: array<vec4<f32>>;

// Of a workgroup.
override TILES: u32;
override ROWS: u32;
// Of a thread: fours of rows of W, and of x. 1 or 2.
override W_FOURS: u32;
override X_FOURS: u32;

override W_ROWS = TILES * 32u;
// From one of a thread's rows to the next; as many threads lie side by side.
override W_STEP = W_ROWS / (4u * W_FOURS);
override X_STEP = ROWS / (4u * X_FOURS);
override THREADS = W_STEP * X_STEP;

// What a thread does in a workgroup.
struct Share {
  thread: u32,
  // The row of W that it decodes, perhaps with others: its first unit, and its lane there.
  unit: u32,
  lane: u32,
  // Where in `input` the rows of x begin that it loads.
  starts: vec2<u32>,
  quads: u32,
  // The first row of each that it multiplies.
  n: u32,
  m: u32,
}

// A column for each of four rows of W, a component for each of four rows of x. `b` and `d` of the thread's second four rows of W,
// `c` and `d` of x.
struct Sums {
  a: mat4x4<f32>,
  b: mat4x4<f32>,
  c: mat4x4<f32>,
  d: mat4x4<f32>,
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let firstTile = (workgroup.x + workgroup.z * workgroups.x) * TILES;
  let rows = rowsOfStep();
  let row = workgroup.y * ROWS;
  // Alike for the whole workgroup, which goes from barrier to barrier below.
  if (firstTile * 32u >= params.rowCount || row >= rows) {
    return;
  }
  let groups = (params.columns + 31u) / 32u;
  // Rows of W past the end are another tile's, or a padded tile's own; what they give is not written.
  let tile = min(firstTile + thread % W_ROWS / 32u, (params.rowCount - 1u) / 32u);
  let share = Share(
    thread,
    tile * ((groups + GROUPS_PER_UNIT - 1u) / GROUPS_PER_UNIT),
    thread % 32u,
    startsOfX(thread, row, rows),
    params.columns / 4u,
    thread % W_STEP,
    thread / W_STEP,
  );
  var sums: Sums;
  for (var i = 0u; i < groups; i++) {
    sums = addGroup(sums, share, i);
  }
  let n = firstTile * 32u + share.n;
  let m = row + share.m;
  write(m, rows, n, sums.a);
  if (W_FOURS > 1u) {
    write(m, rows, n + 4u * W_STEP, sums.b);
  }
  if (X_FOURS > 1u) {
    write(m + 4u * X_STEP, rows, n, sums.c);
    if (W_FOURS > 1u) {
      write(m + 4u * X_STEP, rows, n + 4u * W_STEP, sums.d);
    }
  }
}

// Adds the products of all that a thread owns of what is staged as `k`.
fn addStaged(before: Sums, share: Share, k: u32) -> Sums {
  var sums = before;
  let w = rowsOfW(share.n, k);
  let x = rowsOfX(share.m, k);
  sums.a = addFours(sums.a, w, x);
  if (W_FOURS > 1u) {
    let w2 = rowsOfW(share.n + 4u * W_STEP, k);
    sums.b = addFours(sums.b, w2, x);
    if (X_FOURS > 1u) {
      sums.d = addFours(sums.d, w2, rowsOfX(share.m + 4u * X_STEP, k));
    }
  }
  if (X_FOURS > 1u) {
    sums.c = addFours(sums.c, w, rowsOfX(share.m + 4u * X_STEP, k));
  }
  return sums;
}

fn addFours(sums: mat4x4<f32>, w: FourOfW, x: FourOfX) -> mat4x4<f32> {
  return mat4x4<f32>(
    fold(sums[0], w[0], x), fold(sums[1], w[1], x), fold(sums[2], w[2], x), fold(sums[3], w[3], x),
  );
}

// Sums go round, so that indices are constant: by that of a loop they would have to lie in memory.
fn write(m: u32, rows: u32, n: u32, products: mat4x4<f32>) {
  var columns = products;
  for (var i = n; i < min(n + 4u * W_STEP, params.rowCount); i += W_STEP) {
    var rest = columns[0];
    for (var j = m; j < min(m + 4u * X_STEP, rows); j += X_STEP) {
      store(j, i, rest.x);
      rest = rest.yzwx;
    }
    columns = mat4x4<f32>(columns[1], columns[2], columns[3], columns[0]);
  }
}
