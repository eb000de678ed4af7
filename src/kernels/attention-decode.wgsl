// Attention for single rows, split over keys: one workgroup a chunk of 256 keys (fixed absolute positions), a row and up to
// four query heads of one KV head. It writes the chunk's maximum, sum and weighted values, which attention-reduce merges; a row
// that sees keys of one chunk only is finished here.

struct Params {
  headCount: u32,
  kvHeadCount: u32,
  window: u32,
  softCap: f32,
  maxChunks: u32,
}

// Vectors are 4 floats of one head in `queries` and `partials`. Appended is how `kv` is read: KvWord, KvRow, kvRow, kvVectors.
@group(0) @binding(0) var<storage, read> queries: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> kv: array<KvWord>;
@group(0) @binding(2) var<storage, read> rows: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read> pages: array<u32>;
@group(0) @binding(4) var<storage, read_write> partials: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> output: array<vec4<f32>>;
@group(0) @binding(6) var<uniform> params: Params;

override HEAD_DIM: u32;
// 64 or 128.
override THREADS: u32;

const PAGE = 64u;
const CHUNK_PAGES = 4u;
const CHUNK = PAGE * CHUNK_PAGES;
const MASKED = -3.0e38;

// One component a query head. First the weights of the chunk's keys, then sums on their way to the first slice.
var<workgroup> weights: array<vec4<f32>, 4u * THREADS>;
var<workgroup> tree: array<vec4<f32>, THREADS>;

@compute @workgroup_size(THREADS)
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

  // Each thread scores two keys at a time, so that queries are read half as often. Keys beyond the last repeat it, masked.
  let floats = HEAD_DIM / 4u;
  let wordCount = dynamic(words);
  let q0 = firstHead * floats;
  let q1 = (firstHead + min(1u, spare)) * floats;
  let q2 = (firstHead + min(2u, spare)) * floats;
  let q3 = (firstHead + min(3u, spare)) * floats;
  var most = vec4<f32>(MASKED);
  for (var i = 0u; i < keyCount; i += 2u * THREADS) {
    let slots = vec2<u32>(i + thread, i + THREADS + thread);
    let keys = min(slots, vec2<u32>(keyCount - 1u));
    let keyPages = vec2<u32>(pages[pageTable + keys.x / PAGE], pages[pageTable + keys.y / PAGE]);
    let row0 = kvRow(keyPages.x * pageStride + kvHead, keys.x % PAGE);
    let row1 = kvRow(keyPages.y * pageStride + kvHead, keys.y % PAGE);
    var score0 = vec4<f32>(0.0);
    var score1 = vec4<f32>(0.0);
    for (var word = 0u; word < wordCount; word++) {
      let key0 = kvVectors(row0, word);
      let key1 = kvVectors(row1, word);
      let d = 2u * word;
      let low = mat4x4<f32>(queries[q0 + d], queries[q1 + d], queries[q2 + d], queries[q3 + d]);
      score0 += key0.low * low;
      score1 += key1.low * low;
      let high = mat4x4<f32>(queries[q0 + d + 1u], queries[q1 + d + 1u], queries[q2 + d + 1u], queries[q3 + d + 1u]);
      score0 += key0.high * high;
      score1 += key1.high * high;
    }
    let seen = (slots < vec2<u32>(keyCount)) & (slots + chunkStart >= vec2<u32>(firstKey));
    score0 = select(vec4<f32>(MASKED), capped(score0), seen.x);
    score1 = select(vec4<f32>(MASKED), capped(score1), seen.y);
    weights[slots.x] = score0;
    weights[slots.y] = score1;
    most = max(most, max(score0, score1));
  }
  tree[thread] = most;
  workgroupBarrier();
  for (var stride = dynamic(THREADS / 2u); stride > 0u; stride /= 2u) {
    if (thread < stride) {
      tree[thread] = max(tree[thread], tree[thread + stride]);
    }
    workgroupBarrier();
  }
  most = tree[0];
  workgroupBarrier();

  var sum = vec4<f32>(0.0);
  for (var slot = thread; slot < (lastPage + 1u) * PAGE; slot += THREADS) {
    let seen = slot < keyCount && chunkStart + slot >= firstKey;
    let weight = select(vec4<f32>(0.0), exp(weights[slot] - most), seen);
    weights[slot] = weight;
    sum += weight;
  }
  tree[thread] = sum;
  workgroupBarrier();
  for (var stride = dynamic(THREADS / 2u); stride > 0u; stride /= 2u) {
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
  var low0 = vec4<f32>(0.0);
  var low1 = vec4<f32>(0.0);
  var low2 = vec4<f32>(0.0);
  var low3 = vec4<f32>(0.0);
  var high0 = vec4<f32>(0.0);
  var high1 = vec4<f32>(0.0);
  var high2 = vec4<f32>(0.0);
  var high3 = vec4<f32>(0.0);
  if (slice < slices) {
    for (var i = 0u; i <= lastPage; i++) {
      let valueHead = pages[pageTable + i] * pageStride + params.kvHeadCount + kvHead;
      let count = min(keyCount - i * PAGE, PAGE);
      for (var key = slice; key < count; key += slices) {
        let value = kvVectors(kvRow(valueHead, key), lane);
        let weight = weights[i * PAGE + key];
        low0 += weight.x * value.low;
        low1 += weight.y * value.low;
        low2 += weight.z * value.low;
        low3 += weight.w * value.low;
        high0 += weight.x * value.high;
        high1 += weight.y * value.high;
        high2 += weight.z * value.high;
        high3 += weight.w * value.high;
      }
    }
  }

  // The slices are added in order, four of a thread's eight dimensions at a time.
  let isWhole = firstKey / CHUNK == position / CHUNK;
  let heads = min(spare + 1u, 4u);
  let stride = (HEAD_DIM / 4u + 1u) * params.maxChunks;
  let start = firstHead * stride + group.x * (HEAD_DIM / 4u + 1u);
  workgroupBarrier();
  weights[thread * 4u] = low0;
  weights[thread * 4u + 1u] = low1;
  weights[thread * 4u + 2u] = low2;
  weights[thread * 4u + 3u] = low3;
  workgroupBarrier();
  if (isWhole) {
    writeOutput(firstHead, heads, sum, thread, 0u);
  } else {
    writePartials(start, stride, heads, thread, 0u);
  }
  workgroupBarrier();
  weights[thread * 4u] = high0;
  weights[thread * 4u + 1u] = high1;
  weights[thread * 4u + 2u] = high2;
  weights[thread * 4u + 3u] = high3;
  workgroupBarrier();
  if (isWhole) {
    writeOutput(firstHead, heads, sum, thread, 1u);
  } else {
    writePartials(start, stride, heads, thread, 1u);
  }
  if (thread == 0u && !isWhole) {
    partials[start] = vec4<f32>(most.x, sum.x, 0.0, 0.0);
    if (heads > 1u) {
      partials[start + stride] = vec4<f32>(most.y, sum.y, 0.0, 0.0);
    }
    if (heads > 2u) {
      partials[start + 2u * stride] = vec4<f32>(most.z, sum.z, 0.0, 0.0);
    }
    if (heads > 3u) {
      partials[start + 3u * stride] = vec4<f32>(most.w, sum.w, 0.0, 0.0);
    }
  }
}

fn capped(scores: vec4<f32>) -> vec4<f32> {
  if (params.softCap > 0.0) {
    return params.softCap * tanh(clamp(scores / params.softCap, vec4<f32>(-15.0), vec4<f32>(15.0)));
  }
  return scores;
}

fn writeOutput(firstHead: u32, heads: u32, sums: vec4<f32>, thread: u32, half: u32) {
  let words = HEAD_DIM / 8u;
  for (var item = thread; item < words * heads; item += THREADS) {
    let lane = item % words;
    let head = item / words;
    output[(firstHead + head) * (HEAD_DIM / 4u) + lane * 2u + half] = totalOf(lane, head) / sums[head];
  }
}

// start: the first head's chunk; stride: from head to head.
fn writePartials(start: u32, stride: u32, heads: u32, thread: u32, half: u32) {
  let words = HEAD_DIM / 8u;
  for (var item = thread; item < words * heads; item += THREADS) {
    let lane = item % words;
    let head = item / words;
    partials[start + head * stride + 1u + lane * 2u + half] = totalOf(lane, head);
  }
}

fn totalOf(lane: u32, head: u32) -> vec4<f32> {
  let words = HEAD_DIM / 8u;
  let slices = dynamic(THREADS / words);
  var total = weights[lane * 4u + head];
  for (var part = 1u; part < slices; part++) {
    total += weights[(part * words + lane) * 4u + head];
  }
  return total;
}

// The same number, but no constant to the compiler: CPU drivers would unroll such loops, compile for ten seconds and gain
// nothing.
fn dynamic(count: u32) -> u32 {
  return min(count, count * params.headCount);
}
