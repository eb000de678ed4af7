// output = W x (+ bias) for few rows of x, each computed alone; where hasNorm, x is a row of the residual stream times its norm's
// weight, and the result is scaled as the norm wants. How a tile of W is shared: mat-vec-threads.wgsl.
// Appended: that, norm-scale.wgsl, the prelude of W's format (see quant/group.wgsl) and the arithmetic of the variant.

struct Params {
  columns: u32,
  rowCount: u32,
  rowOffset: u32,
  biasOffset: u32,
  outStride: u32,
  hasBias: u32,
  gather: u32,
  hasNorm: u32,
  epsilon: f32,
}

struct Step {
  rowCount: u32,
  wantCount: u32,
}

@group(0) @binding(0) var<storage, read> input: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> quants: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> extras: array<u32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> wanted: array<u32>;
@group(0) @binding(5) var<storage, read> squares: array<vec4<f32>>;
@group(0) @binding(6) var<uniform> step: Step;
@group(0) @binding(7) var<storage, read_write> output: array<f32>;
@group(0) @binding(8) var<uniform> params: Params;

const SIDES = 1u;

@compute @workgroup_size(LANES * SLICES)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let count = select(step.rowCount, step.wantCount, params.gather != 0u);
  let share = shareOf(workgroup, workgroups, count);
  let start = share.part * PART;
  let row = share.row;
  if (start >= params.rowCount || row >= count) {
    return;
  }
  let lane = thread % LANES;
  let slice = thread / LANES;
  let quads = params.columns / 4u;
  var rows = rowsFrom(row, count);
  if (params.gather != 0u) {
    rows = vec4<u32>(wanted[rows.x], wanted[rows.y], wanted[rows.z], wanted[rows.w]);
  }
  let first = rows * quads;
  let groups = (params.columns + 31u) / 32u;
  let unit = start / 32u * ((groups + GROUPS_PER_UNIT - 1u) / GROUPS_PER_UNIT);
  keepSquares(rows, slice, lane);

  var sums: Sums;
  for (var begin = 0u; begin < groups; begin += STAGED) {
    stageX(first, quads, begin, thread);
    for (var i = begin + slice; i < min(begin + STAGED, groups); i += SLICES) {
      let x = loadRows(first, quads, i, lane);
      let here = unit + i / GROUPS_PER_UNIT;
      let group = i % GROUPS_PER_UNIT;
      sums = addTileRolled(sums, here, start % 32u + lane, group, x);
    }
  }

  if (SLICES == 1u) {
    let scales = normScales(rows);
    write(row, count, start + lane, sums.a[0], scales);
    if (PER_LANE > 1u) {
      write(row, count, start + lane + LANES, sums.a[1], scales);
    }
    if (PER_LANE > 2u) {
      write(row, count, start + lane + 2u * LANES, sums.a[2], scales);
      write(row, count, start + lane + 3u * LANES, sums.a[3], scales);
    }
    if (PER_LANE > 4u) {
      write(row, count, start + lane + 4u * LANES, sums.b[0], scales);
      write(row, count, start + lane + 5u * LANES, sums.b[1], scales);
      write(row, count, start + lane + 6u * LANES, sums.b[2], scales);
      write(row, count, start + lane + 7u * LANES, sums.b[3], scales);
    }
  } else {
    let totals = totalsOf(array(sums), slice, lane, thread);
    if (thread < PART) {
      write(row, count, start + thread, totals[0], normScales(rows));
    }
  }
}

fn write(row: u32, count: u32, n: u32, sums: vec4<f32>, scales: vec4<f32>) {
  if (n >= params.rowCount) {
    return;
  }
  var offset = 0.0;
  if (params.hasBias != 0u) {
    offset = bias[params.biasOffset + n];
  }
  let values = fma(sums, scales, vec4<f32>(offset));
  let at = row * params.outStride + params.rowOffset + n;
  output[at] = values.x;
  if (ROWS == 4u) {
    if (row + 1u < count) {
      output[at + params.outStride] = values.y;
    }
    if (row + 2u < count) {
      output[at + 2u * params.outStride] = values.z;
    }
    if (row + 3u < count) {
      output[at + 3u * params.outStride] = values.w;
    }
  }
}
