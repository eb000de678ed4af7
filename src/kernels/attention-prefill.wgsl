// Attention for many rows: one workgroup makes 16 rows of one head, over tiles of 64 keys (one page, so fixed absolute
// positions) with an online softmax. A tile that a row does not see leaves the row's state exactly as it was, so a row's
// result does not depend on its neighbours. 64 threads: 4 row quads by 16 lanes; a thread scores 4 rows x 4 keys, then
// sums 4 rows x 4 dimensions of each 64.

struct Params {
  headCount: u32,
  kvHeadCount: u32,
  window: u32,
  softCap: f32,
}

struct Step {
  rowCount: u32,
  wantCount: u32,
}

// Vectors are 4 dimensions of one head. Appended is how `kv` is read: KvWord, KvRow, kvRow and kvVector.
@group(0) @binding(0) var<uniform> step: Step;
@group(0) @binding(1) var<storage, read> queries: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> kv: array<KvWord>;
@group(0) @binding(3) var<storage, read> rows: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read> pages: array<u32>;
@group(0) @binding(5) var<storage, read_write> output: array<vec4<f32>>;
@group(0) @binding(6) var<uniform> params: Params;

override HEAD_DIM: u32;

const ROWS = 16u;
const LANES = 16u;
const PAGE = 64u;
const MASKED = -3.0e38;

// One component a row of the quad: the weights of the tile's keys, [key, quad].
var<workgroup> weights: array<vec4<f32>, 256>;
var<workgroup> tree: array<vec4<f32>, 64>;

// 4 rows of 4 dimensions.
alias Quad = mat4x4<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let firstRow = group.x * ROWS;
  let head = group.y;
  let kvHead = head / (params.headCount / params.kvHeadCount);
  let quad = thread / LANES;
  let lane = thread % LANES;
  let floats = HEAD_DIM / 4u;
  let lastRow = min(firstRow + ROWS, step.rowCount) - 1u;

  // Rows beyond the last repeat it, and are not written.
  let ownRow = firstRow + quad * 4u;
  let ownRows = min(vec4<u32>(ownRow, ownRow + 1u, ownRow + 2u, ownRow + 3u), vec4<u32>(lastRow));
  let q = (ownRows * params.headCount + head) * floats;

  var most = vec4<f32>(MASKED);
  var sum = vec4<f32>(0.0);
  var mixed0: Quad;
  var mixed1: Quad;
  var mixed2: Quad;
  var mixed3: Quad;

  // Consecutive rows of one sequence share its keys; the rows here are mostly of one.
  var runStart = firstRow;
  while (runStart <= lastRow) {
    let pageTable = rows[runStart].z;
    var runEnd = runStart;
    var firstKey = 0xffffffffu;
    var lastKey = 0u;
    while (runEnd <= lastRow) {
      if (rows[runEnd].z != pageTable) {
        break;
      }
      let position = rows[runEnd].y;
      firstKey = min(firstKey, firstKeyOf(position));
      lastKey = max(lastKey, position);
      runEnd += 1u;
    }
    // What the thread's own rows see: keys from `low` on, before `end`; nothing for rows of another run.
    var low: vec4<u32>;
    var end: vec4<u32>;
    for (var i = 0u; i < 4u; i++) {
      let position = rows[ownRows[i]].y;
      low[i] = firstKeyOf(position);
      end[i] = select(0u, position + 1u, ownRows[i] >= runStart && ownRows[i] < runEnd);
    }

    for (var page = firstKey / PAGE; page <= lastKey / PAGE; page++) {
      let tileStart = page * PAGE;
      let keyCount = min(lastKey + 1u - tileStart, PAGE);
      let keyHead = pages[pageTable + page] * 2u * params.kvHeadCount + kvHead;
      let valueHead = keyHead + params.kvHeadCount;

      // Keys lane, lane + 16, lane + 32 and lane + 48 of the tile; those beyond the last repeat it, masked.
      let slots = vec4<u32>(lane, lane + 16u, lane + 32u, lane + 48u);
      let ownKeys = min(slots, vec4<u32>(keyCount - 1u));
      let row0 = kvRow(keyHead, ownKeys.x);
      let row1 = kvRow(keyHead, ownKeys.y);
      let row2 = kvRow(keyHead, ownKeys.z);
      let row3 = kvRow(keyHead, ownKeys.w);
      var score0 = vec4<f32>(0.0);
      var score1 = vec4<f32>(0.0);
      var score2 = vec4<f32>(0.0);
      var score3 = vec4<f32>(0.0);
      let floatCount = dynamic(floats);
      for (var d = 0u; d < floatCount; d++) {
        let query = Quad(queries[q.x + d], queries[q.y + d], queries[q.z + d], queries[q.w + d]);
        score0 += kvVector(row0, d) * query;
        score1 += kvVector(row1, d) * query;
        score2 += kvVector(row2, d) * query;
        score3 += kvVector(row3, d) * query;
      }
      let keys = tileStart + slots;
      let seen0 = (vec4<u32>(keys.x) >= low) & (vec4<u32>(keys.x) < end);
      let seen1 = (vec4<u32>(keys.y) >= low) & (vec4<u32>(keys.y) < end);
      let seen2 = (vec4<u32>(keys.z) >= low) & (vec4<u32>(keys.z) < end);
      let seen3 = (vec4<u32>(keys.w) >= low) & (vec4<u32>(keys.w) < end);
      score0 = select(vec4<f32>(MASKED), capped(score0), seen0);
      score1 = select(vec4<f32>(MASKED), capped(score1), seen1);
      score2 = select(vec4<f32>(MASKED), capped(score2), seen2);
      score3 = select(vec4<f32>(MASKED), capped(score3), seen3);

      // The tile's maximum of each row, over the quad's lanes. The barrier also ends the reading of the last tile's weights.
      tree[thread] = max(max(score0, score1), max(score2, score3));
      workgroupBarrier();
      for (var stride = dynamic(LANES / 2u); stride > 0u; stride /= 2u) {
        if (lane < stride) {
          tree[thread] = max(tree[thread], tree[thread + stride]);
        }
        workgroupBarrier();
      }
      let newMost = max(most, tree[quad * LANES]);
      // Exactly 1 where nothing changed, whatever exp makes of 0.
      let keep = select(exp(most - newMost), vec4<f32>(1.0), newMost == most);
      most = newMost;
      let weight0 = select(vec4<f32>(0.0), exp(score0 - most), seen0);
      let weight1 = select(vec4<f32>(0.0), exp(score1 - most), seen1);
      let weight2 = select(vec4<f32>(0.0), exp(score2 - most), seen2);
      let weight3 = select(vec4<f32>(0.0), exp(score3 - most), seen3);
      sum = sum * keep + ((weight0 + weight1) + (weight2 + weight3));
      weights[slots.x * 4u + quad] = weight0;
      weights[slots.y * 4u + quad] = weight1;
      weights[slots.z * 4u + quad] = weight2;
      weights[slots.w * 4u + quad] = weight3;
      workgroupBarrier();

      mixed0 = mixValues(scaled(mixed0, keep), valueHead, lane, quad, keyCount);
      if (HEAD_DIM > 64u) {
        mixed1 = mixValues(scaled(mixed1, keep), valueHead, lane + LANES, quad, keyCount);
      }
      if (HEAD_DIM > 128u) {
        mixed2 = mixValues(scaled(mixed2, keep), valueHead, lane + 2u * LANES, quad, keyCount);
      }
      if (HEAD_DIM > 192u) {
        mixed3 = mixValues(scaled(mixed3, keep), valueHead, lane + 3u * LANES, quad, keyCount);
      }
    }
    runStart = runEnd;
  }

  // Each lane summed the weights of its own keys: a fixed tree adds the lanes.
  workgroupBarrier();
  tree[thread] = sum;
  workgroupBarrier();
  for (var stride = dynamic(LANES / 2u); stride > 0u; stride /= 2u) {
    if (lane < stride) {
      tree[thread] += tree[thread + stride];
    }
    workgroupBarrier();
  }
  let total = tree[quad * LANES];
  for (var i = 0u; i < 4u; i++) {
    if (ownRow + i <= lastRow) {
      write(q[i], lane, mixed0[i] / total[i]);
      if (HEAD_DIM > 64u) {
        write(q[i], lane + LANES, mixed1[i] / total[i]);
      }
      if (HEAD_DIM > 128u) {
        write(q[i], lane + 2u * LANES, mixed2[i] / total[i]);
      }
      if (HEAD_DIM > 192u) {
        write(q[i], lane + 3u * LANES, mixed3[i] / total[i]);
      }
    }
  }
}

fn firstKeyOf(position: u32) -> u32 {
  return select(0u, position + 1u - min(params.window, position + 1u), params.window > 0u);
}

fn capped(scores: vec4<f32>) -> vec4<f32> {
  if (params.softCap > 0.0) {
    return params.softCap * tanh(clamp(scores / params.softCap, vec4<f32>(-15.0), vec4<f32>(15.0)));
  }
  return scores;
}

fn scaled(quad: Quad, factors: vec4<f32>) -> Quad {
  return Quad(quad[0] * factors[0], quad[1] * factors[1], quad[2] * factors[2], quad[3] * factors[3]);
}

// Adds the tile's weighted values in the order of the keys. Lanes beyond the head repeat its last vector.
fn mixValues(start: Quad, valueHead: u32, lane: u32, quad: u32, keyCount: u32) -> Quad {
  var mixed = start;
  let index = min(lane, HEAD_DIM / 4u - 1u);
  for (var key = 0u; key < keyCount; key++) {
    let value = kvVector(kvRow(valueHead, key), index);
    let weight = weights[key * 4u + quad];
    mixed[0] += weight.x * value;
    mixed[1] += weight.y * value;
    mixed[2] += weight.z * value;
    mixed[3] += weight.w * value;
  }
  return mixed;
}

fn write(start: u32, lane: u32, value: vec4<f32>) {
  if (lane < HEAD_DIM / 4u) {
    output[start + lane] = value;
  }
}

// The same number, but no constant to the compiler: CPU drivers would unroll such loops, compile for ten seconds and gain
// nothing.
fn dynamic(count: u32) -> u32 {
  return min(count, count * params.headCount);
}
