// Attention for single rows, split over keys: one workgroup a chunk of 256 keys (fixed absolute positions), a row and up to
// four query heads of one KV head. It writes the chunk's maximum, sum and weighted values; attention-reduce merges the chunks.

struct Params {
  headCount: u32,
  kvHeadCount: u32,
  window: u32,
  softCap: f32,
  maxChunks: u32,
}

// Vectors are 4 floats of one head in `queries` and `partials`, 8 packed halves in `kv`.
@group(0) @binding(0) var<storage, read> queries: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> kv: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> rows: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read> pages: array<u32>;
@group(0) @binding(4) var<storage, read_write> partials: array<vec4<f32>>;
@group(0) @binding(5) var<uniform> params: Params;

override HEAD_DIM: u32;

const THREADS = 64u;
const PAGE = 64u;
const CHUNK_PAGES = 4u;
const CHUNK = PAGE * CHUNK_PAGES;
const MASKED = -3.0e38;

// One component a query head. First the weights of the chunk's keys, then sums on their way to the first slice.
var<workgroup> weights: array<vec4<f32>, CHUNK>;
var<workgroup> tree: array<vec4<f32>, THREADS>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let row = group.z;
  let position = rows[row].y;
  let chunkStart = group.x * CHUNK;
  let firstKey = select(0u, position + 1u - min(params.window, position + 1u), params.window > 0u);
  if (chunkStart > position || chunkStart + CHUNK <= firstKey) {
    return;
  }
  let groupSize = params.headCount / params.kvHeadCount;
  let quads = (groupSize + 3u) / 4u;
  let kvHead = group.y / quads;
  let groupHead = (group.y % quads) * 4u;
  // Heads beyond the group repeat its last one, and are not written.
  let spare = groupSize - 1u - groupHead;
  let firstHead = row * params.headCount + kvHead * groupSize + groupHead;
  let keyCount = min(position + 1u - chunkStart, CHUNK);
  let lastPage = (keyCount - 1u) / PAGE;
  let pageTable = rows[row].z + chunkStart / PAGE;
  let pageStride = 2u * params.kvHeadCount;
  let words = HEAD_DIM / 8u;

  // Each thread scores the same slot of every page; keys beyond the last repeat it, masked.
  let floats = HEAD_DIM / 4u;
  let q0 = firstHead * floats;
  let q1 = (firstHead + min(1u, spare)) * floats;
  let q2 = (firstHead + min(2u, spare)) * floats;
  let q3 = (firstHead + min(3u, spare)) * floats;
  var keyWords: array<u32, CHUNK_PAGES>;
  for (var i = 0u; i < CHUNK_PAGES; i++) {
    let key = min(i * PAGE + thread, keyCount - 1u);
    let page = pages[pageTable + key / PAGE];
    keyWords[i] = ((page * pageStride + kvHead) * PAGE + key % PAGE) * words;
  }
  var scores: array<vec4<f32>, CHUNK_PAGES>;
  // A bound that is no constant: unrolled over the head, CPU drivers compile for ten seconds and gain nothing.
  let wordCount = min(words, words * params.headCount);
  for (var word = 0u; word < wordCount; word++) {
    let d = 2u * word;
    let low = mat4x4<f32>(queries[q0 + d], queries[q1 + d], queries[q2 + d], queries[q3 + d]);
    let high = mat4x4<f32>(queries[q0 + d + 1u], queries[q1 + d + 1u], queries[q2 + d + 1u], queries[q3 + d + 1u]);
    for (var i = 0u; i < CHUNK_PAGES; i++) {
      if (i <= lastPage) {
        let packed = kv[keyWords[i] + word];
        scores[i] += vec4<f32>(unpack2x16float(packed.x), unpack2x16float(packed.y)) * low;
        scores[i] += vec4<f32>(unpack2x16float(packed.z), unpack2x16float(packed.w)) * high;
      }
    }
  }

  var most = vec4<f32>(MASKED);
  for (var i = 0u; i < CHUNK_PAGES; i++) {
    if (params.softCap > 0.0) {
      scores[i] = params.softCap * tanh(clamp(scores[i] / params.softCap, vec4<f32>(-15.0), vec4<f32>(15.0)));
    }
    let key = i * PAGE + thread;
    let seen = key < keyCount && chunkStart + key >= firstKey;
    scores[i] = select(vec4<f32>(MASKED), scores[i], seen);
    most = max(most, scores[i]);
  }
  tree[thread] = most;
  workgroupBarrier();
  for (var stride = THREADS / 2u; stride > 0u; stride /= 2u) {
    if (thread < stride) {
      tree[thread] = max(tree[thread], tree[thread + stride]);
    }
    workgroupBarrier();
  }
  most = tree[0];
  workgroupBarrier();

  var sum = vec4<f32>(0.0);
  for (var i = 0u; i < CHUNK_PAGES; i++) {
    let key = i * PAGE + thread;
    let seen = key < keyCount && chunkStart + key >= firstKey;
    let weight = select(vec4<f32>(0.0), exp(scores[i] - most), seen);
    weights[key] = weight;
    sum += weight;
  }
  tree[thread] = sum;
  workgroupBarrier();
  for (var stride = THREADS / 2u; stride > 0u; stride /= 2u) {
    if (thread < stride) {
      tree[thread] += tree[thread + stride];
    }
    workgroupBarrier();
  }
  sum = tree[0];

  // Values: a thread owns 8 dimensions of every slices-th key.
  let lane = thread % words;
  let slice = thread / words;
  let slices = THREADS / words;
  var mixed: array<vec4<f32>, 8>;
  if (slice < slices) {
    for (var i = 0u; i <= lastPage; i++) {
      let page = pages[pageTable + i];
      let base = ((page * pageStride + params.kvHeadCount + kvHead) * PAGE) * words + lane;
      let count = min(keyCount - i * PAGE, PAGE);
      for (var key = slice; key < count; key += slices) {
        let packed = kv[base + key * words];
        let weight = weights[i * PAGE + key];
        let a = unpack2x16float(packed.x);
        let b = unpack2x16float(packed.y);
        let c = unpack2x16float(packed.z);
        let d = unpack2x16float(packed.w);
        mixed[0] += a.x * weight;
        mixed[1] += a.y * weight;
        mixed[2] += b.x * weight;
        mixed[3] += b.y * weight;
        mixed[4] += c.x * weight;
        mixed[5] += c.y * weight;
        mixed[6] += d.x * weight;
        mixed[7] += d.y * weight;
      }
    }
  }

  let stride = floats + 1u;
  let partial = (firstHead * params.maxChunks + group.x) * stride;
  let headStride = params.maxChunks * stride;
  let headsHere = min(spare + 1u, 4u);
  if (thread < headsHere) {
    partials[partial + thread * headStride] = vec4<f32>(most[thread], sum[thread], 0.0, 0.0);
  }
  // Four of the eight dimensions at a time, the slices added in order.
  for (var half = 0u; half < 2u; half++) {
    workgroupBarrier();
    for (var j = 0u; j < 4u; j++) {
      weights[thread * 4u + j] = mixed[half * 4u + j];
    }
    workgroupBarrier();
    if (slice == 0u) {
      // Initialized by hand: Dawn (webgpu 0.6.2) leaves a bare `var` in a loop as the last round left it.
      var total = mat4x4<f32>();
      for (var part = 0u; part < min(slices, slices * params.headCount); part++) {
        let at = (part * words + lane) * 4u;
        total += mat4x4<f32>(weights[at], weights[at + 1u], weights[at + 2u], weights[at + 3u]);
      }
      let byHead = transpose(total);
      for (var head = 0u; head < headsHere; head++) {
        partials[partial + head * headStride + 1u + lane * 2u + half] = byHead[head];
      }
    }
  }
}
