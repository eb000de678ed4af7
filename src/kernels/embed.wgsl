// Rows of the embedding matrix for a step's tokens, from the planes that the head reads too. One thread a group of 32 weights.
// Where forNorm, it leaves for the norm that follows what mat-vec-residual.wgsl does.
// The prelude of the matrix's format is appended: see quant/group.wgsl.

struct Params {
  columns: u32,
  rowCount: u32,
  rowOffset: u32,
  scale: f32,
  forNorm: u32,
}

// x: token id; or w: where in `tokens` it is
@group(0) @binding(0) var<storage, read> rows: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read> quants: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> extras: array<u32>;
@group(0) @binding(3) var<storage, read> gain: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> tokens: array<u32>;
@group(0) @binding(5) var<storage, read_write> output: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> normed: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> squares: array<f32>;
@group(0) @binding(8) var<uniform> params: Params;

// Sums of squares for each 8 columns, not for each 32.
override BY_EIGHT: bool;

@compute @workgroup_size(32)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let index = workgroup.x * 32u + thread;
  let groups = (params.columns + 31u) / 32u;
  let row = workgroup.y;
  var token = rows[row].x;
  if (rows[row].w != 0u) {
    token = tokens[rows[row].w];
  }
  if (index >= groups || token < params.rowOffset || token - params.rowOffset >= params.rowCount) {
    return;
  }
  let local = token - params.rowOffset;
  let unitsPerRow = (groups + GROUPS_PER_UNIT - 1u) / GROUPS_PER_UNIT;
  let unit = local / 32u * unitsPerRow + index / GROUPS_PER_UNIT;
  let group = loadGroup(unit, local % 32u, index % GROUPS_PER_UNIT);
  let quads = params.columns / 4u;
  // Of each eight columns.
  var sums = vec4<f32>();
  for (var i = 0u; i < min(quads - index * 8u, 8u); i++) {
    let weights = group.raw[i] * (group.scale * RAW_SCALE) + group.offset;
    let values = weights * params.scale;
    let column = index * 8u + i;
    output[row * quads + column] = values;
    if (params.forNorm != 0u) {
      normed[row * quads + column] = values * gain[column];
      sums[i / 2u] += dot(values, values);
    }
  }
  if (params.forNorm != 0u) {
    if (BY_EIGHT) {
      for (var i = 0u; i < 4u; i++) {
        squares[(row * groups + index) * 4u + i] = sums[i];
      }
    } else {
      squares[row * ((params.columns + 127u) / 128u * 4u) + index] = (sums.x + sums.y) + (sums.z + sums.w);
    }
  }
}
