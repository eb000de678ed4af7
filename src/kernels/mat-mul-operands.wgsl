
// What every mat-mul kernel is told and binds, but for `input`; where a row of x begins, and how an output is written.

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

fn rowsOfStep() -> u32 {
  return select(step.rowCount, step.wantCount, params.gather != 0u);
}

// Where in `input` a row of x begins, of `rows`. Rows past the end repeat the last one; what they give is not written.
fn startOf(row: u32, rows: u32) -> u32 {
  let clamped = min(row, rows - 1u);
  return select(clamped, wanted[clamped], params.gather != 0u) * (params.columns / 4u);
}

// Of a row of x and row n of W.
fn store(row: u32, n: u32, product: f32) {
  let at = row * params.outStride + params.rowOffset + n;
  var result = product;
  if (params.hasBias != 0u) {
    result += bias[params.biasOffset + n];
  }
  if (params.accumulate != 0u) {
    result += output[at];
  }
  output[at] = result;
}
