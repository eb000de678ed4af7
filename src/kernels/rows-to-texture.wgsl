// output = input, for kernels that read a row many times: lavapipe loads a vector from a storage texture in about a third of the
// time that it takes from a storage buffer.

struct Params {
  width: u32,
}

@group(0) @binding(0) var<storage, read> input: array<vec4<f32>>;
@group(0) @binding(1) var output: texture_storage_2d<rgba32float, write>;
@group(0) @binding(2) var<uniform> params: Params;

const TEXTURE_WIDTH = 2048u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let vectors = params.width / 4u;
  if (id.x < vectors) {
    let index = id.y * vectors + id.x;
    textureStore(output, vec2<u32>(index % TEXTURE_WIDTH, index / TEXTURE_WIDTH), input[index]);
  }
}
