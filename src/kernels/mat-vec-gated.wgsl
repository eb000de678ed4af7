// output = act(gate x) * (up x) for few rows of x, gate and up stacked in one matrix of 2 * width rows, width a multiple of 32; each
// set of lanes owns rows of gate and the rows of up that belong to them. x is a row of the residual stream times its norm's
// weight where hasNorm, as in mat-vec.wgsl. How a tile is shared: mat-vec-threads.wgsl. Appended:
// that, activation.wgsl, norm-scale.wgsl, the prelude of the format (see quant/group.wgsl) and the arithmetic of the variant.

struct Params {
  columns: u32,
  width: u32,
  hasNorm: u32,
  epsilon: f32,
}

struct Step {
  rowCount: u32,
}

@group(0) @binding(0) var<storage, read> input: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> quants: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> extras: array<u32>;
@group(0) @binding(3) var<storage, read> squares: array<vec4<f32>>;
@group(0) @binding(4) var<uniform> step: Step;
@group(0) @binding(5) var<storage, read_write> output: array<f32>;
@group(0) @binding(6) var<uniform> params: Params;

// Gate and up.
const SIDES = 2u;

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
  if (start >= params.width || row >= count) {
    return;
  }
  let lane = thread % LANES;
  let slice = thread / LANES;
  let quads = params.columns / 4u;
  let rows = rowsFrom(row, count);
  let first = rows * quads;
  let groups = (params.columns + 31u) / 32u;
  let unitsPerRow = (groups + GROUPS_PER_UNIT - 1u) / GROUPS_PER_UNIT;
  let gateUnit = start / 32u * unitsPerRow;
  let upUnit = gateUnit + params.width / 32u * unitsPerRow;
  keepSquares(rows, slice, lane);

  var gates: Sums;
  var ups: Sums;
  for (var begin = 0u; begin < groups; begin += STAGED) {
    stageX(first, quads, begin, thread);
    for (var i = begin + slice; i < min(begin + STAGED, groups); i += SLICES) {
      let x = loadRows(first, quads, i, lane);
      let gate = gateUnit + i / GROUPS_PER_UNIT;
      let up = upUnit + i / GROUPS_PER_UNIT;
      let group = i % GROUPS_PER_UNIT;
      gates = addTileRolled(gates, gate, start % 32u + lane, group, x);
      ups = addTileRolled(ups, up, start % 32u + lane, group, x);
    }
  }

  if (SLICES == 1u) {
    let scales = normScales(rows);
    write(row, count, start + lane, gates.a[0] * scales, ups.a[0] * scales);
    if (PER_LANE > 1u) {
      write(row, count, start + lane + LANES, gates.a[1] * scales, ups.a[1] * scales);
    }
    if (PER_LANE > 2u) {
      write(row, count, start + lane + 2u * LANES, gates.a[2] * scales, ups.a[2] * scales);
      write(row, count, start + lane + 3u * LANES, gates.a[3] * scales, ups.a[3] * scales);
    }
    if (PER_LANE > 4u) {
      write(row, count, start + lane + 4u * LANES, gates.b[0] * scales, ups.b[0] * scales);
      write(row, count, start + lane + 5u * LANES, gates.b[1] * scales, ups.b[1] * scales);
      write(row, count, start + lane + 6u * LANES, gates.b[2] * scales, ups.b[2] * scales);
      write(row, count, start + lane + 7u * LANES, gates.b[3] * scales, ups.b[3] * scales);
    }
  } else {
    let totals = totalsOf(array(gates, ups), slice, lane, thread);
    if (thread < PART) {
      let scales = normScales(rows);
      write(row, count, start + thread, totals[0] * scales, totals[1] * scales);
    }
  }
}

fn write(row: u32, count: u32, n: u32, gates: vec4<f32>, ups: vec4<f32>) {
  let at = row * params.width + n;
  output[at] = activate(gates.x) * ups.x;
  if (ROWS == 4u) {
    if (row + 1u < count) {
      output[at + params.width] = activate(gates.y) * ups.y;
    }
    if (row + 2u < count) {
      output[at + 2u * params.width] = activate(gates.z) * ups.z;
    }
    if (row + 3u < count) {
      output[at + 3u * params.width] = activate(gates.w) * ups.w;
    }
  }
}
