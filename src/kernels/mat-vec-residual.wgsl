// residual += W x (+ bias) for few rows of x, each computed alone. For the norm that follows it leaves the new residual times the
// norm's weight, and for each 8 columns the sum of their squares, or with one slice for each tile of 32: who reads them scales by
// the norm (norm-scale.wgsl).
// How a tile of W is shared: mat-vec-threads.wgsl. Appended: that, the prelude of W's format (see quant/group.wgsl) and the
// arithmetic of the variant.

struct Params {
  columns: u32,
  rowCount: u32,
  rowOffset: u32,
  width: u32,
  hasBias: u32,
}

struct Step {
  rowCount: u32,
}

@group(0) @binding(0) var<storage, read> input: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> quants: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> extras: array<u32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> gain: array<f32>;
@group(0) @binding(5) var<uniform> step: Step;
@group(0) @binding(6) var<storage, read_write> residual: array<f32>;
@group(0) @binding(7) var<storage, read_write> normed: array<f32>;
@group(0) @binding(8) var<storage, read_write> squares: array<f32>;
@group(0) @binding(9) var<uniform> params: Params;

// Of each row of x, the squares of the part's columns.
var<workgroup> columnSquares: array<f32, 4u * 32u>;

const SIDES = 1u;

@compute @workgroup_size(LANES * SLICES)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let count = step.rowCount;
  let share = shareOf(workgroup, workgroups, count);
  let start = share.part * PART;
  let row = share.row;
  if (start >= params.rowCount || row >= count) {
    return;
  }
  let lane = thread % LANES;
  let slice = thread / LANES;
  let quads = params.columns / 4u;
  let first = rowsFrom(row, count) * quads;
  let groups = (params.columns + 31u) / 32u;
  let unit = start / 32u * ((groups + GROUPS_PER_UNIT - 1u) / GROUPS_PER_UNIT);

  var sums: Sums;
  for (var begin = 0u; begin < groups; begin += STAGED) {
    stageX(first, quads, begin, thread);
    for (var i = begin + slice; i < min(begin + STAGED, groups); i += SLICES) {
      let x = loadRows(first, quads, i, lane);
      let here = unit + i / GROUPS_PER_UNIT;
      let group = i % GROUPS_PER_UNIT;
      sums = addTile(sums, here, start % 32u + lane, group, x);
    }
  }

  if (SLICES == 1u) {
    // One sum for the tile.
    let a = add(row, count, start + lane, sums.a[0]);
    var own = a * a;
    if (PER_LANE > 1u) {
      let b = add(row, count, start + lane + LANES, sums.a[1]);
      own = fma(b, b, own);
    }
    if (PER_LANE > 2u) {
      let c = add(row, count, start + lane + 2u * LANES, sums.a[2]);
      let d = add(row, count, start + lane + 3u * LANES, sums.a[3]);
      own = fma(d, d, fma(c, c, own));
    }
    if (PER_LANE > 4u) {
      let e = add(row, count, start + lane + 4u * LANES, sums.b[0]);
      let f = add(row, count, start + lane + 5u * LANES, sums.b[1]);
      let g = add(row, count, start + lane + 6u * LANES, sums.b[2]);
      let h = add(row, count, start + lane + 7u * LANES, sums.b[3]);
      own = fma(h, h, fma(g, g, fma(f, f, fma(e, e, own))));
    }
    keepColumn(lane, own);
    workgroupBarrier();
    writeSquares(row, count, thread, LANES, 1u, (params.width + 127u) / 128u * 4u, (params.rowOffset + start) / 32u);
  } else {
    // One for each eight columns, since a tile may belong to several workgroups.
    let totals = totalsOf(array(sums), slice, lane, thread);
    if (thread < PART) {
      let sum = add(row, count, start + thread, totals[0]);
      keepColumn(thread, sum * sum);
    }
    workgroupBarrier();
    writeSquares(row, count, thread, 8u, PART / 8u, (params.width + 31u) / 32u * 4u, (params.rowOffset + start) / 8u);
  }
}

fn keepColumn(n: u32, own: vec4<f32>) {
  columnSquares[n] = own.x;
  if (ROWS == 4u) {
    columnSquares[32u + n] = own.y;
    columnSquares[64u + n] = own.z;
    columnSquares[96u + n] = own.w;
  }
}

// Of each row of x `parts` sums of `length` squares each, one a thread, from element `at` of its row of `squares` on.
fn writeSquares(row: u32, count: u32, thread: u32, length: u32, parts: u32, stride: u32, at: u32) {
  let own = thread / parts;
  if (own >= ROWS || row + own >= count) {
    return;
  }
  let part = thread % parts;
  var sum = 0.0;
  for (var i = 0u; i < length; i++) {
    sum += columnSquares[own * 32u + part * length + i];
  }
  squares[(row + own) * stride + at + part] = sum;
}

// Adds to column n of the rows of x; gives what is there then.
fn add(row: u32, count: u32, n: u32, values: vec4<f32>) -> vec4<f32> {
  if (n >= params.rowCount) {
    return vec4<f32>();
  }
  let column = params.rowOffset + n;
  var sums = values;
  if (params.hasBias != 0u) {
    sums += vec4<f32>(bias[column]);
  }
  let weight = gain[column];
  let at = row * params.width + column;
  var result = vec4<f32>();
  result.x = addTo(at, sums.x, weight);
  if (ROWS == 4u) {
    if (row + 1u < count) {
      result.y = addTo(at + params.width, sums.y, weight);
    }
    if (row + 2u < count) {
      result.z = addTo(at + 2u * params.width, sums.z, weight);
    }
    if (row + 3u < count) {
      result.w = addTo(at + 3u * params.width, sums.w, weight);
    }
  }
  return result;
}

fn addTo(at: u32, value: f32, weight: f32) -> f32 {
  let sum = residual[at] + value;
  residual[at] = sum;
  normed[at] = sum * weight;
  return sum;
}
