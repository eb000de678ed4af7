
// mat-mul-staged.wgsl's arithmetic in signed bytes: products-int8.wgsl, a group at a time. A thread makes ready one row of W or one
// row of x at most. Both lie 48 bytes apart, so that a vector of eight neighbouring rows lies in banks of its own for each.

var<workgroup> stagedW: array<Group, W_ROWS>;
var<workgroup> stagedX: array<Staged, ROWS>;
alias FourOfW = array<Group, 4>;
alias FourOfX = array<Staged, 4>;

// The last threads take a row of x each, the first a row of W.
override FIRST_OF_X = THREADS - ROWS;

fn startsOfX(thread: u32, row: u32, rows: u32) -> vec2<u32> {
  return vec2<u32>(startOf(row + thread - min(thread, FIRST_OF_X), rows));
}

fn addGroup(sums: Sums, share: Share, i: u32) -> Sums {
  var w: Group;
  var x: Staged;
  if (share.thread < W_ROWS) {
    w = loadGroup(share.unit + i / GROUPS_PER_UNIT, share.lane, i % GROUPS_PER_UNIT);
  }
  if (share.thread >= FIRST_OF_X) {
    x = stagedOf(loadX(share.starts.x, share.quads, i, 0u));
  }
  workgroupBarrier(); // the group before may still be read
  if (share.thread < W_ROWS) {
    stagedW[share.thread] = w;
  }
  if (share.thread >= FIRST_OF_X) {
    stagedX[share.thread - FIRST_OF_X] = x;
  }
  workgroupBarrier();
  return addStaged(sums, share, 0u);
}

fn rowsOfW(n: u32, k: u32) -> FourOfW {
  return FourOfW(stagedW[n], stagedW[n + W_STEP], stagedW[n + 2u * W_STEP], stagedW[n + 3u * W_STEP]);
}

fn rowsOfX(m: u32, k: u32) -> FourOfX {
  return FourOfX(stagedX[m], stagedX[m + X_STEP], stagedX[m + 2u * X_STEP], stagedX[m + 3u * X_STEP]);
}

fn fold(sums: vec4<f32>, w: Group, x: FourOfX) -> vec4<f32> {
  return vec4<f32>(
    addDot(sums.x, w, x[0]), addDot(sums.y, w, x[1]), addDot(sums.z, w, x[2]), addDot(sums.w, w, x[3]),
  );
}
