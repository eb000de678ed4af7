// As mat-mul.wgsl, for CPU adapters, which pay far more for a load than for arithmetic or for a value that another lane holds.
// A workgroup is one subgroup and makes 8 rows of x times one tile of W: a lane owns rows lane, lane + LANES, ... of the tile,
// decodes their weights once, and loads its share of x, which the others get by broadcast. Each product is added up in the
// order of the columns, group by group, so that a row's result never depends on the rows beside it.
// Appended are mat-mul-lanes-4.wgsl or mat-mul-lanes-8.wgsl, which bind `input` and read its vectors by inputAt, from-lane-4.wgsl or
// from-lane-8.wgsl, and the prelude of W's format (see quant/group.wgsl).
enable subgroups;

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

struct Step {
  rowCount: u32,
  wantCount: u32,
}

@group(0) @binding(1) var<storage, read> quants: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> extras: array<u32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> wanted: array<u32>;
@group(0) @binding(5) var<uniform> step: Step;
@group(0) @binding(6) var<storage, read_write> output: array<f32>;
@group(0) @binding(7) var<uniform> params: Params;

// Of each row of W that a lane owns its products with x's rows 0 ... 3, then with 4 ... 7.
alias Products = array<vec4<f32>, PRODUCTS>;

// Where in `input` 8 rows of x begin.
struct RowStarts {
  low: vec4<u32>,
  high: vec4<u32>,
}

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let tile = workgroup.x + workgroup.z * workgroups.x;
  let rows = select(step.rowCount, step.wantCount, params.gather != 0u);
  let row = workgroup.y * 8u;
  if (tile * 32u >= params.rowCount || row >= rows) {
    return;
  }
  let groups = (params.columns + 31u) / 32u;
  let unit = tile * ((groups + GROUPS_PER_UNIT - 1u) / GROUPS_PER_UNIT);
  let x = RowStarts(startsOf(row, rows), startsOf(row + 4u, rows));
  var sums: Products;
  for (var i = 0u; i < groups; i++) {
    sums = addProducts(sums, groupProducts(unit + i / GROUPS_PER_UNIT, i % GROUPS_PER_UNIT, lane, x, i));
  }
  for (var j = 0u; j < PRODUCTS; j++) {
    write(row + 4u * (j % 2u), rows, tile * 32u + lane + j / 2u * LANES, sums[j]);
  }
}

// Rows past the end repeat the last one; what they give is not written.
fn startsOf(row: u32, rows: u32) -> vec4<u32> {
  return vec4<u32>(startOf(row, rows), startOf(row + 1u, rows), startOf(row + 2u, rows), startOf(row + 3u, rows));
}

fn startOf(row: u32, rows: u32) -> u32 {
  let clamped = min(row, rows - 1u);
  return select(clamped, wanted[clamped], params.gather != 0u) * (params.columns / 4u);
}

// Vector `j` of a group, of each of four rows.
fn loadVectors(starts: vec4<u32>, group: u32, j: u32) -> Quad {
  // Past the end of a row the weights are zero, so that any finite number will do.
  let at = starts + min(group * 8u + j, params.columns / 4u - 1u);
  return Quad(inputAt(at.x), inputAt(at.y), inputAt(at.z), inputAt(at.w));
}

fn loadWeights(unit: u32, lane: u32, index: u32) -> array<vec4<f32>, 8> {
  let group = loadGroup(unit, lane, index);
  let scale = group.scale * RAW_SCALE;
  let offset = vec4<f32>(group.offset);
  return array<vec4<f32>, 8>(
    fma(group.raw[0], scale, offset), fma(group.raw[1], scale, offset),
    fma(group.raw[2], scale, offset), fma(group.raw[3], scale, offset),
    fma(group.raw[4], scale, offset), fma(group.raw[5], scale, offset),
    fma(group.raw[6], scale, offset), fma(group.raw[7], scale, offset),
  );
}

// Adds the products of four weights with four columns of x.
fn fold(sum: vec4<f32>, w: vec4<f32>, x: Quad) -> vec4<f32> {
  let first = fma(vec4<f32>(w.y), x[1], fma(vec4<f32>(w.x), x[0], sum));
  return fma(vec4<f32>(w.w), x[3], fma(vec4<f32>(w.z), x[2], first));
}

fn write(row: u32, rows: u32, n: u32, values: vec4<f32>) {
  if (n >= params.rowCount) {
    return;
  }
  for (var i = 0u; i < min(rows - min(row, rows), 4u); i++) {
    let at = (row + i) * params.outStride + params.rowOffset + n;
    var result = values[i];
    if (params.hasBias != 0u) {
      result += bias[params.biasOffset + n];
    }
    if (params.accumulate != 0u) {
      result += output[at];
    }
    output[at] = result;
  }
}
