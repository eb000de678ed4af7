// What attention on CPU adapters shares, whose subgroups are 4 or 8 lanes: 8 rows of queries against the keys and values of one
// head, in tiles of 4 keys a lane at fixed absolute positions, with an online softmax. A lane scores every LANES-th key and sums
// every LANES-th vector of the head, so that each key and value is unpacked once for 8 rows; queries and weights come by
// broadcast. A tile that a row does not see leaves the row's state exactly as it was, so a row's result does not depend on its
// neighbours.
// Half of the rows are left out where OCTET is false, and what is said of them means nothing.
// Wanted are OCTET, `queries`, `kv`, `params` with window, softCap and kvHeadCount, HEAD_DIM, writeVector, fold.wgsl, attention-lanes-4.wgsl
// or attention-lanes-8.wgsl, and how `kv` is read: KvWord, KvRow, kvRow and kvVector.

const ROWS = 8u;
const TILE = 4u * LANES;
const PAGE = 64u;
const MASKED = -3.0e38;

// One number for each of the 8 rows.
struct Octet {
  low: vec4<f32>,
  high: vec4<f32>,
}

struct OctetOfIndices {
  low: vec4<u32>,
  high: vec4<u32>,
}

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

// What is known after some tiles. `sum` is of the lane's own keys.
struct Seen {
  most: Octet,
  sum: Octet,
  mixed0: Mixed,
  mixed1: Mixed,
  mixed2: Mixed,
  mixed3: Mixed,
}

fn nothingSeen() -> Seen {
  var seen: Seen;
  seen.most = Octet(vec4<f32>(MASKED), vec4<f32>(MASKED));
  return seen;
}

// q: where the rows' queries start. keyHead: of all keys and values in order, see kvRow. The rows see keys from `begin` on, before
// `end`, and the tile has none behind `lastKey`.
fn addTile(
  before: Seen,
  q: OctetOfIndices,
  keyHead: u32,
  tileStart: u32,
  lastKey: u32,
  begin: OctetOfIndices,
  end: OctetOfIndices,
  lane: u32,
) -> Seen {
  // Keys beyond the last repeat it, masked.
  let lastSlot = min(lastKey - tileStart, TILE - 1u);
  let inPage = tileStart % PAGE;
  let values = Values(keyHead + params.kvHeadCount, inPage, lastSlot);
  let slots = vec4<u32>(lane, lane + LANES, lane + 2u * LANES, lane + 3u * LANES);
  let k = inPage + min(slots, vec4<u32>(lastSlot));
  let ownKeys = Keys(kvRow(keyHead, k.x), kvRow(keyHead, k.y), kvRow(keyHead, k.z), kvRow(keyHead, k.w));
  var scores = Scores();
  // No constant to the compiler, which would unroll the loop, take seconds and gain nothing.
  let vectors = min(HEAD_DIM / 4u, HEAD_DIM * params.kvHeadCount);
  for (var first = 0u; first < vectors; first += LANES) {
    scores = addProducts(scores, q, ownKeys, first, lane);
  }
  let keys = tileStart + slots;
  let s0 = masked(scores[0], keys.x, begin, end);
  let s1 = masked(scores[1], keys.y, begin, end);
  let s2 = masked(scores[2], keys.z, begin, end);
  let s3 = masked(scores[3], keys.w, begin, end);

  var seen = before;
  var keep: Octet;
  seen.most.low = max(before.most.low, maxOfLanes(max(max(s0.low, s1.low), max(s2.low, s3.low))));
  keep.low = keptOf(before.most.low, seen.most.low);
  if (OCTET) {
    seen.most.high = max(before.most.high, maxOfLanes(max(max(s0.high, s1.high), max(s2.high, s3.high))));
    keep.high = keptOf(before.most.high, seen.most.high);
  }
  let w0 = weightOf(s0, seen.most);
  let w1 = weightOf(s1, seen.most);
  let w2 = weightOf(s2, seen.most);
  let w3 = weightOf(s3, seen.most);
  seen.sum.low = before.sum.low * keep.low + ((w0.low + w1.low) + (w2.low + w3.low));
  seen.sum.high = before.sum.high * keep.high + ((w0.high + w1.high) + (w2.high + w3.high));
  let weights = Scores(w0, w1, w2, w3);
  seen.mixed0 = mixValues(scaled(before.mixed0, keep), weights, values, lane);
  if (HEAD_DIM > 64u) {
    seen.mixed1 = mixValues(scaled(before.mixed1, keep), weights, values, lane + 16u);
  }
  if (HEAD_DIM > 128u) {
    seen.mixed2 = mixValues(scaled(before.mixed2, keep), weights, values, lane + 32u);
  }
  if (HEAD_DIM > 192u) {
    seen.mixed3 = mixValues(scaled(before.mixed3, keep), weights, values, lane + 48u);
  }
  return seen;
}

// What is left of a row's sums when its maximum grows: exactly 1 where it did not, whatever exp makes of 0.
fn keptOf(before: vec4<f32>, most: vec4<f32>) -> vec4<f32> {
  return select(exp(before - most), vec4<f32>(1.0), most == before);
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
  var sums = mixed;
  sums[0] += weights.low.x * value;
  sums[1] += weights.low.y * value;
  sums[2] += weights.low.z * value;
  sums[3] += weights.low.w * value;
  if (OCTET) {
    sums[4] += weights.high.x * value;
    sums[5] += weights.high.y * value;
    sums[6] += weights.high.z * value;
    sums[7] += weights.high.w * value;
  }
  return sums;
}

fn vectorAt(row: KvRow, index: u32) -> vec4<f32> {
  return kvVector(row, min(index, HEAD_DIM / 4u - 1u));
}

fn addKey(sum: Octet, key: vec4<f32>, low: Quad, high: Quad) -> Octet {
  var result = Octet(fold(sum.low, key, low), vec4<f32>());
  if (OCTET) {
    result.high = fold(sum.high, key, high);
  }
  return result;
}

fn masked(scores: Octet, key: u32, begin: OctetOfIndices, end: OctetOfIndices) -> Octet {
  let at = vec4<u32>(key);
  var result: Octet;
  result.low = select(vec4<f32>(MASKED), capped(scores.low), (at >= begin.low) & (at < end.low));
  if (OCTET) {
    result.high = select(vec4<f32>(MASKED), capped(scores.high), (at >= begin.high) & (at < end.high));
  }
  return result;
}

fn capped(scores: vec4<f32>) -> vec4<f32> {
  if (params.softCap > 0.0) {
    return params.softCap * tanh(clamp(scores / params.softCap, vec4<f32>(-15.0), vec4<f32>(15.0)));
  }
  return scores;
}

fn weightOf(scores: Octet, most: Octet) -> Octet {
  var result: Octet;
  result.low = select(exp(scores.low - most.low), vec4<f32>(0.0), scores.low == vec4<f32>(MASKED));
  if (OCTET) {
    result.high = select(exp(scores.high - most.high), vec4<f32>(0.0), scores.high == vec4<f32>(MASKED));
  }
  return result;
}

fn firstKeyOf(position: u32) -> u32 {
  return select(0u, position + 1u - min(params.window, position + 1u), params.window > 0u);
}

// All of row i, divided by `total`, to vectors `start` ... of where `writeVector` writes.
fn writeRow(start: u32, lane: u32, seen: Seen, i: u32, total: f32) {
  writeVectors(start, lane, seen.mixed0[i], total);
  if (HEAD_DIM > 64u) {
    writeVectors(start, lane + 16u, seen.mixed1[i], total);
  }
  if (HEAD_DIM > 128u) {
    writeVectors(start, lane + 32u, seen.mixed2[i], total);
  }
  if (HEAD_DIM > 192u) {
    writeVectors(start, lane + 48u, seen.mixed3[i], total);
  }
}

fn writeVectors(start: u32, index: u32, values: OwnVectors, total: f32) {
  for (var i = 0u; i < 16u / LANES; i++) {
    if (index + LANES * i < HEAD_DIM / 4u) {
      writeVector(start + index + LANES * i, values[i] / total);
    }
  }
}
