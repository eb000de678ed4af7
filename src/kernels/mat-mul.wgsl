// output (+)= W x (+ bias) for many rows of x. A thread owns 8 rows of W (lane, lane + 4, ...) times 4 rows of x, and adds up
// each product in the order of the columns, so that a row's result never depends on the rows beside it.
// Appended are mat-mul-operands.wgsl and the prelude of W's format (see quant/group.wgsl).

@group(0) @binding(0) var<storage, read> input: array<vec4<f32>>;

// Of a workgroup: tiles of W, and fours of rows of x. The threads of a tile's fours read the same weights at about the same time.
override TILES: u32;
override FOURS: u32;
const LANES = 4u;

@compute @workgroup_size(LANES * TILES * FOURS)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let tile = (workgroup.x + workgroup.z * workgroups.x) * TILES + thread / LANES % TILES;
  let rows = rowsOfStep();
  let row = (workgroup.y * FOURS + thread / (LANES * TILES)) * 4u;
  if (tile * 32u >= params.rowCount || row >= rows) {
    return;
  }
  let lane = thread % LANES;
  let groups = (params.columns + 31u) / 32u;
  let unit = tile * ((groups + GROUPS_PER_UNIT - 1u) / GROUPS_PER_UNIT);
  let first = vec4<u32>(startOf(row, rows), startOf(row + 1u, rows), startOf(row + 2u, rows), startOf(row + 3u, rows));

  // Of each row of W its products with the four rows of x.
  var sums: array<vec4<f32>, 8>;
  for (var i = 0u; i < groups; i++) {
    let a = loadInput(first.x, i);
    let b = loadInput(first.y, i);
    let c = loadInput(first.z, i);
    let d = loadInput(first.w, i);
    let inputSums = vec4<f32>(sumOf(a), sumOf(b), sumOf(c), sumOf(d));
    let here = unit + i / GROUPS_PER_UNIT;
    let group = i % GROUPS_PER_UNIT;
    sums[0] += dotGroups(loadGroup(here, lane, group), a, b, c, d, inputSums);
    sums[1] += dotGroups(loadGroup(here, lane + 4u, group), a, b, c, d, inputSums);
    sums[2] += dotGroups(loadGroup(here, lane + 8u, group), a, b, c, d, inputSums);
    sums[3] += dotGroups(loadGroup(here, lane + 12u, group), a, b, c, d, inputSums);
    sums[4] += dotGroups(loadGroup(here, lane + 16u, group), a, b, c, d, inputSums);
    sums[5] += dotGroups(loadGroup(here, lane + 20u, group), a, b, c, d, inputSums);
    sums[6] += dotGroups(loadGroup(here, lane + 24u, group), a, b, c, d, inputSums);
    sums[7] += dotGroups(loadGroup(here, lane + 28u, group), a, b, c, d, inputSums);
  }
  let n = tile * 32u + lane;
  write(row, rows, n, sums[0]);
  write(row, rows, n + 4u, sums[1]);
  write(row, rows, n + 8u, sums[2]);
  write(row, rows, n + 12u, sums[3]);
  write(row, rows, n + 16u, sums[4]);
  write(row, rows, n + 20u, sums[5]);
  write(row, rows, n + 24u, sums[6]);
  write(row, rows, n + 28u, sums[7]);
}

fn loadInput(first: u32, group: u32) -> array<vec4<f32>, 8> {
  // Past the end of a row the weights are zero, so that any finite number will do.
  let last = first + params.columns / 4u - 1u;
  let at = first + group * 8u;
  return array<vec4<f32>, 8>(
    input[at], input[min(at + 1u, last)], input[min(at + 2u, last)], input[min(at + 3u, last)],
    input[min(at + 4u, last)], input[min(at + 5u, last)], input[min(at + 6u, last)], input[min(at + 7u, last)],
  );
}

fn dotGroups(
  group: Group,
  a: array<vec4<f32>, 8>,
  b: array<vec4<f32>, 8>,
  c: array<vec4<f32>, 8>,
  d: array<vec4<f32>, 8>,
  sums: vec4<f32>,
) -> vec4<f32> {
  return vec4<f32>(
    dotGroup(group, a, sums.x),
    dotGroup(group, b, sums.y),
    dotGroup(group, c, sums.z),
    dotGroup(group, d, sums.w),
  );
}

fn write(row: u32, rows: u32, n: u32, values: vec4<f32>) {
  if (n >= params.rowCount) {
    return;
  }
  for (var i = 0u; i < min(rows - row, 4u); i++) {
    store(row + i, n, values[i]);
  }
}
