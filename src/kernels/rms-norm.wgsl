// RMS norm: one workgroup a row. Each thread sums the squares of every 64th element, then a fixed tree adds the threads up.

struct Params {
  width: u32,
  epsilon: f32,
}

@group(0) @binding(0) var<storage, read> input: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> output: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

const THREADS = 64u;
var<workgroup> squares: array<f32, THREADS>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let start = group.x * params.width;
  var sum = 0.0;
  for (var column = thread; column < params.width; column += THREADS) {
    let value = input[start + column];
    sum += value * value;
  }
  squares[thread] = sum;
  workgroupBarrier();
  // Its start is no constant to the compiler, or CPU drivers unroll the barriers and compile for seconds.
  for (var stride = min(THREADS / 2u, THREADS * params.width); stride > 0u; stride /= 2u) {
    if (thread < stride) {
      squares[thread] += squares[thread + stride];
    }
    workgroupBarrier();
  }
  let scale = 1.0 / sqrt(squares[0] / f32(params.width) + params.epsilon);
  for (var column = thread; column < params.width; column += THREADS) {
    output[start + column] = input[start + column] * scale * weight[column];
  }
}
