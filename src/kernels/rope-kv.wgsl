// Queries: optional norm, rope, scaled to `queries`. Keys: optional norm, rope, into KV pages. Values: into KV pages.
// One workgroup a head of a row; a thread makes two neighbouring dimensions. Appended is how they get into a page: keepPair and
// finishRow.

struct Params {
  rowStride: u32,
  queryOffset: u32,
  keyOffset: u32,
  valueOffset: u32,
  headCount: u32,
  kvHeadCount: u32,
  queryScale: f32,
  epsilon: f32,
}

@group(0) @binding(0) var<storage, read> qkv: array<f32>;
@group(0) @binding(1) var<storage, read> queryNorm: array<f32>;
@group(0) @binding(2) var<storage, read> keyNorm: array<f32>;
@group(0) @binding(3) var<storage, read> table: array<vec2<f32>>;
@group(0) @binding(4) var<storage, read> rows: array<vec4<u32>>;
@group(0) @binding(5) var<storage, read> pages: array<u32>;
@group(0) @binding(6) var<storage, read_write> queries: array<f32>;
@group(0) @binding(7) var<storage, read_write> kv: array<u32>;
@group(0) @binding(8) var<uniform> params: Params;

override HEAD_DIM: u32;
override ROPE_DIM: u32;
// Rotated pairs are dimensions (i, i + ROPE_DIM / 2); else (2i, 2i + 1).
override HALVES: bool;
override HAS_QUERY_NORM: bool;
override HAS_KEY_NORM: bool;

const THREADS = 32u;
const PAGE = 64u;
var<workgroup> squares: array<f32, THREADS>;

@compute @workgroup_size(32)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  // Heads in order: queries, keys, values.
  let head = group.x;
  let row = group.y;
  let isQuery = head < params.headCount;
  let isValue = head >= params.headCount + params.kvHeadCount;
  var start = row * params.rowStride;
  var kvHead = 0u;
  if (isQuery) {
    start += params.queryOffset + head * HEAD_DIM;
  } else if (isValue) {
    kvHead = head - params.headCount - params.kvHeadCount;
    start += params.valueOffset + kvHead * HEAD_DIM;
  } else {
    kvHead = head - params.headCount;
    start += params.keyOffset + kvHead * HEAD_DIM;
  }

  var scale = 1.0;
  if (HAS_QUERY_NORM || HAS_KEY_NORM) {
    scale = normScale(start, thread);
  }
  let normed = (isQuery && HAS_QUERY_NORM) || (!isQuery && !isValue && HAS_KEY_NORM);
  if (!normed) {
    scale = 1.0;
  }

  let position = rows[row].y;
  let page = pages[rows[row].z + position / PAGE];
  let pageHead = (page * 2u + u32(isValue)) * params.kvHeadCount + kvHead;
  for (var word = thread; word < HEAD_DIM / 2u; word += THREADS) {
    var pair: vec2<f32>;
    if (isValue) {
      pair = vec2<f32>(qkv[start + 2u * word], qkv[start + 2u * word + 1u]);
    } else {
      pair = vec2<f32>(
        rotated(start, 2u * word, position, scale, isQuery),
        rotated(start, 2u * word + 1u, position, scale, isQuery),
      );
    }
    if (isQuery) {
      let at = (row * params.headCount + head) * HEAD_DIM + 2u * word;
      queries[at] = pair.x * params.queryScale;
      queries[at + 1u] = pair.y * params.queryScale;
    } else {
      keepPair(pageHead, position % PAGE, word, pair);
    }
  }
  if (!isQuery) {
    finishRow(pageHead, position % PAGE, thread);
  }
}

// 1 / sqrt(mean of squares + epsilon) of the head, by a fixed tree.
fn normScale(start: u32, thread: u32) -> f32 {
  var sum = 0.0;
  for (var d = thread; d < HEAD_DIM; d += THREADS) {
    sum += qkv[start + d] * qkv[start + d];
  }
  squares[thread] = sum;
  workgroupBarrier();
  // Its start is no constant to the compiler, or CPU drivers unroll the barriers and compile for seconds.
  for (var stride = min(THREADS / 2u, THREADS * params.headCount); stride > 0u; stride /= 2u) {
    if (thread < stride) {
      squares[thread] += squares[thread + stride];
    }
    workgroupBarrier();
  }
  return 1.0 / sqrt(squares[0] / f32(HEAD_DIM) + params.epsilon);
}

fn element(start: u32, d: u32, scale: f32, isQuery: bool) -> f32 {
  var value = qkv[start + d] * scale;
  if (isQuery) {
    if (HAS_QUERY_NORM) {
      value *= queryNorm[d];
    }
  } else if (HAS_KEY_NORM) {
    value *= keyNorm[d];
  }
  return value;
}

fn rotated(start: u32, d: u32, position: u32, scale: f32, isQuery: bool) -> f32 {
  let own = element(start, d, scale, isQuery);
  if (d >= ROPE_DIM) {
    return own;
  }
  let half = ROPE_DIM / 2u;
  let isFirst = select((d & 1u) == 0u, d < half, HALVES);
  let pair = select(d / 2u, select(d - half, d, d < half), HALVES);
  let distance = select(1u, half, HALVES);
  let other = element(start, select(d - distance, d + distance, isFirst), scale, isQuery);
  let turn = table[position * half + pair];
  return own * turn.x + select(other, -other, isFirst) * turn.y;
}
