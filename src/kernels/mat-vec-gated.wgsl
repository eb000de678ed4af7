// output = act(gate x) * (up x) for few rows of x, gate and up stacked in one matrix of 2 * width rows, width a multiple of 32.
// Lanes and slices as in mat-vec.wgsl; each set of lanes owns a tile of gate and the tile of up that belongs to it.
// The prelude of the matrix's format is appended: see quant/group.wgsl.

struct Params {
  columns: u32,
  width: u32,
}

@group(0) @binding(0) var<storage, read> input: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> quants: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> extras: array<u32>;
@group(0) @binding(3) var<storage, read_write> output: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

override SLICES: u32;
const LANES = 8u;

// Of each slice 32 sums of gate, then 32 of up.
var<workgroup> partials: array<f32, SLICES * 64u>;

@compute @workgroup_size(LANES * SLICES)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let tile = workgroup.x + workgroup.z * workgroups.x;
  if (tile * 32u >= params.width) {
    return;
  }
  let lane = thread % LANES;
  let slice = thread / LANES;
  let row = workgroup.y;
  let quads = params.columns / 4u;
  let first = row * quads;
  let last = first + quads - 1u;
  let groups = (params.columns + 31u) / 32u;
  let unitsPerRow = (groups + GROUPS_PER_UNIT - 1u) / GROUPS_PER_UNIT;
  let gateUnit = tile * unitsPerRow;
  let upUnit = gateUnit + params.width / 32u * unitsPerRow;

  var gates = vec4<f32>();
  var ups = vec4<f32>();
  for (var i = slice; i < groups; i += SLICES) {
    let at = first + i * 8u;
    // Past the end of a row the weights are zero, so that any finite number will do.
    let x = array<vec4<f32>, 8>(
      input[at], input[min(at + 1u, last)], input[min(at + 2u, last)], input[min(at + 3u, last)],
      input[min(at + 4u, last)], input[min(at + 5u, last)], input[min(at + 6u, last)], input[min(at + 7u, last)],
    );
    let sum = sumOf(x);
    let here = i / GROUPS_PER_UNIT;
    let group = i % GROUPS_PER_UNIT;
    gates.x += dotGroup(loadGroup(gateUnit + here, lane, group), x, sum);
    gates.y += dotGroup(loadGroup(gateUnit + here, lane + 8u, group), x, sum);
    gates.z += dotGroup(loadGroup(gateUnit + here, lane + 16u, group), x, sum);
    gates.w += dotGroup(loadGroup(gateUnit + here, lane + 24u, group), x, sum);
    ups.x += dotGroup(loadGroup(upUnit + here, lane, group), x, sum);
    ups.y += dotGroup(loadGroup(upUnit + here, lane + 8u, group), x, sum);
    ups.z += dotGroup(loadGroup(upUnit + here, lane + 16u, group), x, sum);
    ups.w += dotGroup(loadGroup(upUnit + here, lane + 24u, group), x, sum);
  }

  let start = row * params.width + tile * 32u;
  if (SLICES == 1u) {
    output[start + lane] = activate(gates.x) * ups.x;
    output[start + lane + 8u] = activate(gates.y) * ups.y;
    output[start + lane + 16u] = activate(gates.z) * ups.z;
    output[start + lane + 24u] = activate(gates.w) * ups.w;
  } else {
    for (var i = 0u; i < 4u; i++) {
      partials[slice * 64u + lane + i * 8u] = gates[i];
      partials[slice * 64u + lane + i * 8u + 32u] = ups[i];
    }
    workgroupBarrier();
    for (var n = thread; n < 32u; n += LANES * SLICES) {
      var gate = 0.0;
      var up = 0.0;
      for (var i = 0u; i < SLICES; i++) {
        gate += partials[i * 64u + n];
        up += partials[i * 64u + n + 32u];
      }
      output[start + n] = activate(gate) * up;
    }
  }
}
