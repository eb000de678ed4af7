// output (+)= W x (+ bias) for few rows of x, each computed alone. A tile of 32 rows of W is shared by 8 lanes, each of which
// owns rows lane, lane + 8, lane + 16, lane + 24 and loads x once for all four; SLICES such sets of lanes share the groups.
// The prelude of W's format is appended: see quant/group.wgsl.

struct Params {
  columns: u32,
  rowCount: u32,
  rowOffset: u32,
  biasOffset: u32,
  outStride: u32,
  accumulate: u32,
  hasBias: u32,
  gather: u32,
}

@group(0) @binding(0) var<storage, read> input: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> quants: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> extras: array<u32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> wanted: array<u32>;
@group(0) @binding(5) var<storage, read_write> output: array<f32>;
@group(0) @binding(6) var<uniform> params: Params;

override SLICES: u32;
const LANES = 8u;

var<workgroup> partials: array<f32, SLICES * 32u>;

@compute @workgroup_size(LANES * SLICES)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let tile = workgroup.x + workgroup.z * workgroups.x;
  if (tile * 32u >= params.rowCount) {
    return;
  }
  let lane = thread % LANES;
  let slice = thread / LANES;
  let row = workgroup.y;
  let quads = params.columns / 4u;
  let first = select(row, wanted[row], params.gather != 0u) * quads;
  let last = first + quads - 1u;
  let groups = (params.columns + 31u) / 32u;
  let unit = tile * ((groups + GROUPS_PER_UNIT - 1u) / GROUPS_PER_UNIT);

  var sums = vec4<f32>();
  for (var i = slice; i < groups; i += SLICES) {
    let at = first + i * 8u;
    // Past the end of a row the weights are zero, so that any finite number will do.
    let x = array<vec4<f32>, 8>(
      input[at], input[min(at + 1u, last)], input[min(at + 2u, last)], input[min(at + 3u, last)],
      input[min(at + 4u, last)], input[min(at + 5u, last)], input[min(at + 6u, last)], input[min(at + 7u, last)],
    );
    let sum = sumOf(x);
    let here = unit + i / GROUPS_PER_UNIT;
    let group = i % GROUPS_PER_UNIT;
    sums.x += dotGroup(loadGroup(here, lane, group), x, sum);
    sums.y += dotGroup(loadGroup(here, lane + 8u, group), x, sum);
    sums.z += dotGroup(loadGroup(here, lane + 16u, group), x, sum);
    sums.w += dotGroup(loadGroup(here, lane + 24u, group), x, sum);
  }

  if (SLICES == 1u) {
    write(row, tile * 32u + lane, sums.x);
    write(row, tile * 32u + lane + 8u, sums.y);
    write(row, tile * 32u + lane + 16u, sums.z);
    write(row, tile * 32u + lane + 24u, sums.w);
  } else {
    partials[slice * 32u + lane] = sums.x;
    partials[slice * 32u + lane + 8u] = sums.y;
    partials[slice * 32u + lane + 16u] = sums.z;
    partials[slice * 32u + lane + 24u] = sums.w;
    workgroupBarrier();
    for (var n = thread; n < 32u; n += LANES * SLICES) {
      var sum = 0.0;
      for (var i = 0u; i < SLICES; i++) {
        sum += partials[i * 32u + n];
      }
      write(row, tile * 32u + n, sum);
    }
  }
}

fn write(row: u32, n: u32, value: f32) {
  if (n >= params.rowCount) {
    return;
  }
  let at = row * params.outStride + params.rowOffset + n;
  var result = value;
  if (params.hasBias != 0u) {
    result += bias[params.biasOffset + n];
  }
  if (params.accumulate != 0u) {
    result += output[at];
  }
  output[at] = result;
}
