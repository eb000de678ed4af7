// As mat-mul.wgsl, for CPU adapters, which pay far more for a load than for arithmetic or for a value that another lane holds.
// A workgroup is one subgroup and makes 8 rows of x times one tile of W: a lane owns rows lane, lane + LANES, ... of the tile,
// decodes their weights once, and loads its share of x, which the others get by broadcast. Each product is added up in the
// order of the columns, group by group, so that a row's result never depends on the rows beside it.
// Appended are mat-mul-operands.wgsl, fold.wgsl, mat-mul-lanes-4.wgsl or mat-mul-lanes-8.wgsl, which bind `input` and read its
// vectors by inputAt, from-lane-4.wgsl or from-lane-8.wgsl, and the prelude of W's format (see quant/group.wgsl).
enable subgroups;

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
  let rows = rowsOfStep();
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

fn startsOf(row: u32, rows: u32) -> vec4<u32> {
  return vec4<u32>(startOf(row, rows), startOf(row + 1u, rows), startOf(row + 2u, rows), startOf(row + 3u, rows));
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

fn write(row: u32, rows: u32, n: u32, values: vec4<f32>) {
  if (n >= params.rowCount) {
    return;
  }
  for (var i = 0u; i < min(rows - min(row, rows), 4u); i++) {
    store(row + i, n, values[i]);
  }
}
