// output = act(gate x) * (up x) for few rows of x, gate and up stacked in one matrix of 2 * width rows, width a multiple of 32; each
// set of lanes owns a tile of gate and the tile of up that belongs to it. x is a row of the residual stream times its norm's
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

// Of each slice 32 sums of gate, then 32 of up; a component for each row of x.
var<workgroup> partials: array<vec4<f32>, SLICES * 64u>;

@compute @workgroup_size(LANES * SLICES)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let tile = workgroup.x + workgroup.z * workgroups.x;
  let count = step.rowCount;
  let row = workgroup.y * ROWS;
  if (tile * 32u >= params.width || row >= count) {
    return;
  }
  let lane = thread % LANES;
  let slice = thread / LANES;
  let quads = params.columns / 4u;
  let rows = rowsFrom(row, count);
  let first = rows * quads;
  let groups = (params.columns + 31u) / 32u;
  let unitsPerRow = (groups + GROUPS_PER_UNIT - 1u) / GROUPS_PER_UNIT;
  let gateUnit = tile * unitsPerRow;
  let upUnit = gateUnit + params.width / 32u * unitsPerRow;

  // A column for each of the lane's rows, a component for each row of x.
  var gates: mat4x4<f32>;
  var ups: mat4x4<f32>;
  for (var start = 0u; start < groups; start += STAGED) {
    stageX(first, quads, start, thread);
    for (var i = start + slice; i < min(start + STAGED, groups); i += SLICES) {
      let x = loadRows(first, quads, i, lane);
      let gate = gateUnit + i / GROUPS_PER_UNIT;
      let up = upUnit + i / GROUPS_PER_UNIT;
      let group = i % GROUPS_PER_UNIT;
      gates = addTileRolled(gates, gate, lane, group, x);
      ups = addTileRolled(ups, up, lane, group, x);
    }
  }

  var scales = vec4<f32>(1.0);
  if (params.hasNorm != 0u) {
    scales.x = normScale(rows.x, params.columns, params.epsilon);
    if (ROWS == 4u) {
      scales.y = normScale(rows.y, params.columns, params.epsilon);
      scales.z = normScale(rows.z, params.columns, params.epsilon);
      scales.w = normScale(rows.w, params.columns, params.epsilon);
    }
  }
  if (SLICES == 1u) {
    write(row, count, tile * 32u + lane, gates[0] * scales, ups[0] * scales);
    if (LANES <= 16u) {
      write(row, count, tile * 32u + lane + LANES, gates[1] * scales, ups[1] * scales);
    }
    if (LANES <= 8u) {
      write(row, count, tile * 32u + lane + 16u, gates[2] * scales, ups[2] * scales);
      write(row, count, tile * 32u + lane + 24u, gates[3] * scales, ups[3] * scales);
    }
  } else {
    let at = slice * 64u + lane;
    partials[at] = gates[0];
    partials[at + 32u] = ups[0];
    if (LANES <= 16u) {
      partials[at + LANES] = gates[1];
      partials[at + 32u + LANES] = ups[1];
    }
    if (LANES <= 8u) {
      partials[at + 16u] = gates[2];
      partials[at + 24u] = gates[3];
      partials[at + 48u] = ups[2];
      partials[at + 56u] = ups[3];
    }
    workgroupBarrier();
    for (var n = thread; n < 32u; n += LANES * SLICES) {
      var gate = vec4<f32>();
      var up = vec4<f32>();
      for (var i = 0u; i < SLICES; i++) {
        gate += partials[i * 64u + n];
        up += partials[i * 64u + n + 32u];
      }
      write(row, count, tile * 32u + n, gate * scales, up * scales);
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
