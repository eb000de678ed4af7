// output = act(gate) * up, from rows that hold the gates first and the ups after them. One thread an element.

struct Params {
  width: u32,
}

@group(0) @binding(0) var<storage, read> input: array<f32>;
@group(0) @binding(1) var<storage, read_write> output: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

// 0 silu, 1 gelu_tanh, 2 gelu, 3 relu: the order of ACTIVATIONS.
override ACTIVATION: u32;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let column = group.x * 64u + thread;
  if (column >= params.width) {
    return;
  }
  let start = group.y * 2u * params.width;
  output[group.y * params.width + column] = activate(input[start + column]) * input[start + params.width + column];
}

fn activate(x: f32) -> f32 {
  switch ACTIVATION {
    case 0u: {
      // The exponential stays finite: WGSL may take infinities for granted not to happen.
      return x / (1.0 + exp(min(-x, 80.0)));
    }
    case 1u: {
      let inner = 0.7978845608028654 * (x + 0.044715 * x * x * x);
      return 0.5 * x * (1.0 + tanh(clamp(inner, -15.0, 15.0)));
    }
    case 2u: {
      return 0.5 * x * (1.0 + erf(x * 0.7071067811865476));
    }
    default: {
      return max(x, 0.0);
    }
  }
}

// Abramowitz and Stegun 7.1.26: within 1.5e-7 of the error function.
fn erf(x: f32) -> f32 {
  let size = min(abs(x), 10.0);
  let t = 1.0 / (1.0 + 0.3275911 * size);
  let poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return sign(x) * (1.0 - poly * exp(-size * size));
}
