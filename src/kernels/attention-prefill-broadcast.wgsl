// As attention-prefill.wgsl, for CPU adapters whose subgroups are 4 or 8 lanes: a workgroup is one subgroup and makes 8 rows of
// one head, over tiles of 4 keys a lane at fixed absolute positions with an online softmax. A lane scores every LANES-th key and
// sums every LANES-th vector of the head, so that each key and value is unpacked once for 8 rows; queries and weights come by
// broadcast. A tile that a row does not see leaves the row's state exactly as it was, so a row's result does not depend on its
// neighbours. Appended are attention-octet.wgsl and attention-lanes-4.wgsl or attention-lanes-8.wgsl.
enable subgroups;

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

const ROWS = 8u;
const TILE = 4u * LANES;
const PAGE = 64u;
const MASKED = -3.0e38;

// Scores, then weights, of the lane's keys in a tile: lane, lane + LANES, lane + 2 LANES, lane + 3 LANES.
alias Scores = array<Octet, 4>;

// Of the lane's keys in a tile, in the same order.
alias Keys = array<KvRow, 4>;

// A tile's values: slots 0 ... lastSlot, from position `first` of a page.
struct Values {
  head: u32,
  first: u32,
  lastSlot: u32,
}

// Of 64 dimensions those of the lane, for each row: vectors lane, lane + LANES, ...
alias Mixed = array<OwnVectors, ROWS>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let firstRow = group.x * ROWS;
  let head = group.y;
  let kvHead = head / (params.headCount / params.kvHeadCount);
  let floats = HEAD_DIM / 4u;
  let lastRow = min(firstRow + ROWS, step.rowCount) - 1u;

  // Rows beyond the last repeat it, and are not written.
  let own = OctetOfIndices(
    min(vec4<u32>(firstRow) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(lastRow)),
    min(vec4<u32>(firstRow) + vec4<u32>(4u, 5u, 6u, 7u), vec4<u32>(lastRow)),
  );
  let q = OctetOfIndices((own.low * params.headCount + head) * floats, (own.high * params.headCount + head) * floats);

  var most = Octet(vec4<f32>(MASKED), vec4<f32>(MASKED));
  var sum: Octet;
  var mixed0: Mixed;
  var mixed1: Mixed;
  var mixed2: Mixed;
  var mixed3: Mixed;

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
    let positions = OctetOfIndices(positionsOf(own.low), positionsOf(own.high));
    // What rows see: keys from `begin` on, before `end`; nothing for rows of another run.
    let begin = OctetOfIndices(firstKeysOf(positions.low), firstKeysOf(positions.high));
    let end = OctetOfIndices(
      select(vec4<u32>(0u), positions.low + 1u, (own.low >= vec4<u32>(runStart)) & (own.low < vec4<u32>(runEnd))),
      select(vec4<u32>(0u), positions.high + 1u, (own.high >= vec4<u32>(runStart)) & (own.high < vec4<u32>(runEnd))),
    );

    for (var tile = firstKey / TILE; tile <= lastKey / TILE; tile++) {
      let tileStart = tile * TILE;
      // Keys beyond the last repeat it, masked.
      let lastSlot = min(lastKey - tileStart, TILE - 1u);
      let inPage = tileStart % PAGE;
      let keyHead = pages[pageTable + tileStart / PAGE] * 2u * params.kvHeadCount + kvHead;
      let values = Values(keyHead + params.kvHeadCount, inPage, lastSlot);

      let slots = vec4<u32>(lane, lane + LANES, lane + 2u * LANES, lane + 3u * LANES);
      let k = inPage + min(slots, vec4<u32>(lastSlot));
      let ownKeys = Keys(kvRow(keyHead, k.x), kvRow(keyHead, k.y), kvRow(keyHead, k.z), kvRow(keyHead, k.w));
      var scores = Scores();
      for (var first = 0u; first < floats; first += LANES) {
        scores = addProducts(scores, q, ownKeys, first, lane);
      }
      let keys = tileStart + slots;
      let s0 = masked(scores[0], keys.x, begin, end);
      let s1 = masked(scores[1], keys.y, begin, end);
      let s2 = masked(scores[2], keys.z, begin, end);
      let s3 = masked(scores[3], keys.w, begin, end);

      let newMost = Octet(
        max(most.low, maxOfLanes(max(max(s0.low, s1.low), max(s2.low, s3.low)))),
        max(most.high, maxOfLanes(max(max(s0.high, s1.high), max(s2.high, s3.high)))),
      );
      // Exactly 1 where nothing changed, whatever exp makes of 0.
      let keep = Octet(
        select(exp(most.low - newMost.low), vec4<f32>(1.0), newMost.low == most.low),
        select(exp(most.high - newMost.high), vec4<f32>(1.0), newMost.high == most.high),
      );
      most = newMost;
      let w0 = weightOf(s0, most);
      let w1 = weightOf(s1, most);
      let w2 = weightOf(s2, most);
      let w3 = weightOf(s3, most);
      sum.low = sum.low * keep.low + ((w0.low + w1.low) + (w2.low + w3.low));
      sum.high = sum.high * keep.high + ((w0.high + w1.high) + (w2.high + w3.high));
      let weights = Scores(w0, w1, w2, w3);

      mixed0 = mixValues(scaled(mixed0, keep), weights, values, lane);
      if (HEAD_DIM > 64u) {
        mixed1 = mixValues(scaled(mixed1, keep), weights, values, lane + 16u);
      }
      if (HEAD_DIM > 128u) {
        mixed2 = mixValues(scaled(mixed2, keep), weights, values, lane + 32u);
      }
      if (HEAD_DIM > 192u) {
        mixed3 = mixValues(scaled(mixed3, keep), weights, values, lane + 48u);
      }
    }
    runStart = runEnd;
  }

  let totals = Octet(sumOfLanes(sum.low), sumOfLanes(sum.high));
  for (var i = 0u; i < ROWS; i++) {
    if (firstRow + i <= lastRow) {
      let start = ((firstRow + i) * params.headCount + head) * floats;
      let total = select(totals.low[i % 4u], totals.high[i % 4u], i >= 4u);
      write(start, lane, mixed0[i], total);
      if (HEAD_DIM > 64u) {
        write(start, lane + 16u, mixed1[i], total);
      }
      if (HEAD_DIM > 128u) {
        write(start, lane + 32u, mixed2[i], total);
      }
      if (HEAD_DIM > 192u) {
        write(start, lane + 48u, mixed3[i], total);
      }
    }
  }
}

fn positionsOf(ofRows: vec4<u32>) -> vec4<u32> {
  return vec4<u32>(rows[ofRows.x].y, rows[ofRows.y].y, rows[ofRows.z].y, rows[ofRows.w].y);
}

fn firstKeyOf(position: u32) -> u32 {
  return select(0u, position + 1u - min(params.window, position + 1u), params.window > 0u);
}

fn firstKeysOf(positions: vec4<u32>) -> vec4<u32> {
  return vec4<u32>(firstKeyOf(positions.x), firstKeyOf(positions.y), firstKeyOf(positions.z), firstKeyOf(positions.w));
}

fn loadQueries(starts: vec4<u32>, index: u32) -> Quad {
  let at = starts + min(index, HEAD_DIM / 4u - 1u);
  let inside = select(0.0, 1.0, index < HEAD_DIM / 4u);
  return Quad(queries[at.x], queries[at.y], queries[at.z], queries[at.w]) * inside;
}

fn addVector(scores: Scores, keys: Keys, index: u32, low: Quad, high: Quad) -> Scores {
  return Scores(
    addKey(scores[0], vectorAt(keys[0], index), low, high),
    addKey(scores[1], vectorAt(keys[1], index), low, high),
    addKey(scores[2], vectorAt(keys[2], index), low, high),
    addKey(scores[3], vectorAt(keys[3], index), low, high),
  );
}

fn scaled(mixed: Mixed, factors: Octet) -> Mixed {
  return Mixed(
    mixed[0] * factors.low.x, mixed[1] * factors.low.y, mixed[2] * factors.low.z, mixed[3] * factors.low.w,
    mixed[4] * factors.high.x, mixed[5] * factors.high.y, mixed[6] * factors.high.z, mixed[7] * factors.high.w,
  );
}

// Adds the tile's weighted values in the order of the keys. Vectors beyond the head repeat its last one.
fn mixValues(start: Mixed, weights: Scores, values: Values, index: u32) -> Mixed {
  var mixed = start;
  for (var i = 0u; i <= values.lastSlot / LANES; i++) {
    mixed = mixLanes(mixed, values, index, i * LANES, weights[i]);
  }
  return mixed;
}

fn mixValue(mixed: Mixed, values: Values, index: u32, slot: u32, weights: Octet) -> Mixed {
  let row = kvRow(values.head, values.first + min(slot, values.lastSlot));
  let value = ownVectors(row, index);
  let low = weights.low;
  let high = weights.high;
  return Mixed(
    mixed[0] + low.x * value, mixed[1] + low.y * value, mixed[2] + low.z * value, mixed[3] + low.w * value,
    mixed[4] + high.x * value, mixed[5] + high.y * value, mixed[6] + high.z * value, mixed[7] + high.w * value,
  );
}

fn vectorAt(row: KvRow, index: u32) -> vec4<f32> {
  return kvVector(row, min(index, HEAD_DIM / 4u - 1u));
}

fn write(start: u32, index: u32, values: OwnVectors, total: f32) {
  for (var i = 0u; i < 16u / LANES; i++) {
    if (index + LANES * i < HEAD_DIM / 4u) {
      output[start + index + LANES * i] = values[i] / total;
    }
  }
}
