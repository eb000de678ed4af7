// output = act(gate) * up, from rows that hold the gates first and the ups after them. One thread an element.
// activation.wgsl is appended.

struct Params {
  width: u32,
}

@group(0) @binding(0) var<storage, read> input: array<f32>;
@group(0) @binding(1) var<storage, read_write> output: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let column = group.x * 64u + thread;
  if (column >= params.width) {
    return;
  }
  let start = group.y * 2u * params.width;
  output[group.y * params.width + column] = activate(input[start + column]) * input[start + params.width + column];
}
