// Merges the chunks of attention-decode in order: one thread makes 4 dimensions of a head of a row. Rows of one chunk are done.

struct Params {
  headCount: u32,
  window: u32,
  maxChunks: u32,
}

@group(0) @binding(0) var<storage, read> partials: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> rows: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> output: array<vec4<f32>>;
@group(0) @binding(3) var<uniform> params: Params;

override HEAD_DIM: u32;

const CHUNK = 256u;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let floats = HEAD_DIM / 4u;
  let index = group.x * 64u + thread;
  if (index >= params.headCount * floats) {
    return;
  }
  let row = group.y;
  let head = row * params.headCount + index / floats;
  let position = rows[row].y;
  let firstKey = select(0u, position + 1u - min(params.window, position + 1u), params.window > 0u);
  let firstChunk = firstKey / CHUNK;
  let lastChunk = position / CHUNK;
  if (firstChunk == lastChunk) {
    return;
  }
  let stride = floats + 1u;
  let base = head * params.maxChunks * stride;

  var most = partials[base + firstChunk * stride].x;
  for (var chunk = firstChunk + 1u; chunk <= lastChunk; chunk++) {
    most = max(most, partials[base + chunk * stride].x);
  }
  var sum = 0.0;
  var mixed = vec4<f32>(0.0);
  for (var chunk = firstChunk; chunk <= lastChunk; chunk++) {
    let at = base + chunk * stride;
    let scale = exp(partials[at].x - most);
    sum += partials[at].y * scale;
    mixed += partials[at + 1u + index % floats] * scale;
  }
  output[head * floats + index % floats] = mixed / sum;
}
