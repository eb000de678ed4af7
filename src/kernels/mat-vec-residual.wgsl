// residual += W x (+ bias) for few rows of x, each computed alone. For the norm that follows it leaves the new residual times the
// norm's weight, and for each tile of 32 columns the sum of its squares: who reads them scales by the norm (norm-scale.wgsl).
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

// A component for each row of x.
var<workgroup> partials: array<vec4<f32>, SLICES * 32u>;
// [row of x, part of the tile]
var<workgroup> tileSquares: array<f32, 4u * 32u>;

@compute @workgroup_size(LANES * SLICES)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let tile = workgroup.x + workgroup.z * workgroups.x;
  let count = step.rowCount;
  let row = workgroup.y * ROWS;
  if (tile * 32u >= params.rowCount || row >= count) {
    return;
  }
  let lane = thread % LANES;
  let slice = thread / LANES;
  let quads = params.columns / 4u;
  let first = rowsFrom(row, count) * quads;
  let groups = (params.columns + 31u) / 32u;
  let unit = tile * ((groups + GROUPS_PER_UNIT - 1u) / GROUPS_PER_UNIT);

  // A column for each of the lane's rows of W, a component for each row of x.
  var sums: mat4x4<f32>;
  for (var start = 0u; start < groups; start += STAGED) {
    stageX(first, quads, start, thread);
    for (var i = start + slice; i < min(start + STAGED, groups); i += SLICES) {
      let x = loadRows(first, quads, i, lane);
      let here = unit + i / GROUPS_PER_UNIT;
      let group = i % GROUPS_PER_UNIT;
      sums = addTile(sums, here, lane, group, x);
    }
  }

  let parts = min(LANES * SLICES, 32u);
  var ownSquares = vec4<f32>();
  if (SLICES == 1u) {
    let a = add(row, count, tile * 32u + lane, sums[0]);
    ownSquares = a * a;
    if (LANES <= 16u) {
      let b = add(row, count, tile * 32u + lane + LANES, sums[1]);
      ownSquares = fma(b, b, ownSquares);
    }
    if (LANES <= 8u) {
      let c = add(row, count, tile * 32u + lane + 16u, sums[2]);
      let d = add(row, count, tile * 32u + lane + 24u, sums[3]);
      ownSquares = fma(d, d, fma(c, c, ownSquares));
    }
  } else {
    partials[slice * 32u + lane] = sums[0];
    if (LANES <= 16u) {
      partials[slice * 32u + lane + LANES] = sums[1];
    }
    if (LANES <= 8u) {
      partials[slice * 32u + lane + 16u] = sums[2];
      partials[slice * 32u + lane + 24u] = sums[3];
    }
    workgroupBarrier();
    for (var n = thread; n < 32u; n += LANES * SLICES) {
      var product = vec4<f32>();
      for (var i = 0u; i < SLICES; i++) {
        product += partials[i * 32u + n];
      }
      let sum = add(row, count, tile * 32u + n, product);
      ownSquares = fma(sum, sum, ownSquares);
    }
  }
  if (thread < parts) {
    tileSquares[thread] = ownSquares.x;
    if (ROWS == 4u) {
      tileSquares[32u + thread] = ownSquares.y;
      tileSquares[64u + thread] = ownSquares.z;
      tileSquares[96u + thread] = ownSquares.w;
    }
  }
  workgroupBarrier();
  if (thread < ROWS && row + thread < count) {
    var sum = 0.0;
    for (var i = 0u; i < parts; i++) {
      sum += tileSquares[thread * 32u + i];
    }
    let stride = (params.width + 127u) / 128u * 4u;
    squares[(row + thread) * stride + params.rowOffset / 32u + tile] = sum;
  }
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
