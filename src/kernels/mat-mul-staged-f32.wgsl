
// mat-mul-staged.wgsl's arithmetic in f32, with fold.wgsl. Half a group at a time, so that 16 KiB of workgroup memory are enough.

const VECTORS = 4u;
// From row to row. It is odd, so that a vector of eight neighbouring rows lies in banks of its own for each.
const STRIDE = VECTORS + 1u;
var<workgroup> stagedW: array<vec4<f32>, W_ROWS * STRIDE>;
var<workgroup> stagedX: array<vec4<f32>, ROWS * STRIDE>;
alias FourOfW = mat4x4<f32>;
alias FourOfX = mat4x4<f32>;

// Threads that load vectors of x side by side: VECTORS for each row. A thread has one row, or two.
override X_LOADED = THREADS / VECTORS;

fn startsOfX(thread: u32, row: u32, rows: u32) -> vec2<u32> {
  let first = row + thread / VECTORS;
  return vec2<u32>(startOf(first, rows), startOf(first + X_LOADED, rows));
}

fn addGroup(sums: Sums, share: Share, i: u32) -> Sums {
  let group = loadGroup(share.unit + i / GROUPS_PER_UNIT, share.lane, i % GROUPS_PER_UNIT);
  let scale = group.scale * RAW_SCALE;
  let offset = vec4<f32>(group.offset);
  stage(share, 2u * i, mat4x4<f32>(group.raw[0], group.raw[1], group.raw[2], group.raw[3]), scale, offset);
  let half = addHalf(sums, share);
  stage(share, 2u * i + 1u, mat4x4<f32>(group.raw[4], group.raw[5], group.raw[6], group.raw[7]), scale, offset);
  return addHalf(half, share);
}

// Half i of the columns, counted over all groups.
fn stage(share: Share, i: u32, raw: mat4x4<f32>, scale: vec4<f32>, offset: vec4<f32>) {
  workgroupBarrier(); // the half before may still be read
  let to = share.thread % W_ROWS * STRIDE;
  // Where a row of W has two threads, each lays down two of its vectors.
  if (share.thread < W_ROWS) {
    stagedW[to] = fma(raw[0], scale, offset);
    stagedW[to + 1u] = fma(raw[1], scale, offset);
  }
  if (share.thread >= THREADS - W_ROWS) {
    stagedW[to + 2u] = fma(raw[2], scale, offset);
    stagedW[to + 3u] = fma(raw[3], scale, offset);
  }
  // Past the end of a row the weights are zero, so that any finite number will do.
  let at = min(i * VECTORS + share.thread % VECTORS, share.quads - 1u);
  let toX = share.thread / VECTORS * STRIDE + share.thread % VECTORS;
  stagedX[toX] = input[share.starts.x + at];
  if (ROWS > X_LOADED) {
    stagedX[toX + X_LOADED * STRIDE] = input[share.starts.y + at];
  }
  workgroupBarrier();
}

fn addHalf(before: Sums, share: Share) -> Sums {
  var sums = before;
  for (var k = 0u; k < VECTORS; k++) {
    sums = addStaged(sums, share, k);
  }
  return sums;
}

// Vector k of four of a thread's rows of W: a column for each.
fn rowsOfW(n: u32, k: u32) -> FourOfW {
  let at = n * STRIDE + k;
  let step = W_STEP * STRIDE;
  return FourOfW(stagedW[at], stagedW[at + step], stagedW[at + 2u * step], stagedW[at + 3u * step]);
}

// The same of x, but a component for each row.
fn rowsOfX(m: u32, k: u32) -> FourOfX {
  let at = m * STRIDE + k;
  let step = X_STEP * STRIDE;
  return transpose(FourOfX(stagedX[at], stagedX[at + step], stagedX[at + 2u * step], stagedX[at + 3u * step]));
}
