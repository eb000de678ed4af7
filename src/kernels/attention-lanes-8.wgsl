// How the lanes of attention-prefill-broadcast.wgsl share keys, queries and weights, in subgroups of 8. Appended: from-lane-8.wgsl.
const LANES = 8u;

alias OwnVectors = mat2x4<f32>;

fn ownVectors(row: KvRow, index: u32) -> OwnVectors {
  return OwnVectors(vectorAt(row, index), vectorAt(row, index + 8u));
}

// Adds the products of vectors `first` ... `first` + 7; those past the head are zero.
fn addProducts(scores: Scores, q: OctetOfIndices, keys: Keys, first: u32, lane: u32) -> Scores {
  let low = loadQueries(q.low, first + lane);
  var high: Quad;
  if (OCTET) {
    high = loadQueries(q.high, first + lane);
  }
  let after0 = addVector(scores, keys, first, fromLane0(low), fromLane0(high));
  let after1 = addVector(after0, keys, first + 1u, fromLane1(low), fromLane1(high));
  let after2 = addVector(after1, keys, first + 2u, fromLane2(low), fromLane2(high));
  let after3 = addVector(after2, keys, first + 3u, fromLane3(low), fromLane3(high));
  let after4 = addVector(after3, keys, first + 4u, fromLane4(low), fromLane4(high));
  let after5 = addVector(after4, keys, first + 5u, fromLane5(low), fromLane5(high));
  let after6 = addVector(after5, keys, first + 6u, fromLane6(low), fromLane6(high));
  return addVector(after6, keys, first + 7u, fromLane7(low), fromLane7(high));
}

// Adds the weighted values of slots `slot` ... `slot` + 7, whose weights the lanes hold.
fn mixLanes(mixed: Mixed, values: Values, index: u32, slot: u32, own: Octet) -> Mixed {
  let after0 = mixValue(mixed, values, index, slot, weightsOfLane0(own));
  let after1 = mixValue(after0, values, index, slot + 1u, weightsOfLane1(own));
  let after2 = mixValue(after1, values, index, slot + 2u, weightsOfLane2(own));
  let after3 = mixValue(after2, values, index, slot + 3u, weightsOfLane3(own));
  let after4 = mixValue(after3, values, index, slot + 4u, weightsOfLane4(own));
  let after5 = mixValue(after4, values, index, slot + 5u, weightsOfLane5(own));
  let after6 = mixValue(after5, values, index, slot + 6u, weightsOfLane6(own));
  return mixValue(after6, values, index, slot + 7u, weightsOfLane7(own));
}

fn weightsOfLane0(own: Octet) -> Octet {
  return Octet(subgroupBroadcast(own.low, 0u), subgroupBroadcast(own.high, 0u));
}

fn weightsOfLane1(own: Octet) -> Octet {
  return Octet(subgroupBroadcast(own.low, 1u), subgroupBroadcast(own.high, 1u));
}

fn weightsOfLane2(own: Octet) -> Octet {
  return Octet(subgroupBroadcast(own.low, 2u), subgroupBroadcast(own.high, 2u));
}

fn weightsOfLane3(own: Octet) -> Octet {
  return Octet(subgroupBroadcast(own.low, 3u), subgroupBroadcast(own.high, 3u));
}

fn weightsOfLane4(own: Octet) -> Octet {
  return Octet(subgroupBroadcast(own.low, 4u), subgroupBroadcast(own.high, 4u));
}

fn weightsOfLane5(own: Octet) -> Octet {
  return Octet(subgroupBroadcast(own.low, 5u), subgroupBroadcast(own.high, 5u));
}

fn weightsOfLane6(own: Octet) -> Octet {
  return Octet(subgroupBroadcast(own.low, 6u), subgroupBroadcast(own.high, 6u));
}

fn weightsOfLane7(own: Octet) -> Octet {
  return Octet(subgroupBroadcast(own.low, 7u), subgroupBroadcast(own.high, 7u));
}

fn maxOfLanes(v: vec4<f32>) -> vec4<f32> {
  return subgroupMax(v);
}

// In one order on every adapter, which subgroupAdd does not promise.
fn sumOfLanes(v: vec4<f32>) -> vec4<f32> {
  let near = (subgroupBroadcast(v, 0u) + subgroupBroadcast(v, 1u)) + (subgroupBroadcast(v, 2u) + subgroupBroadcast(v, 3u));
  let far = (subgroupBroadcast(v, 4u) + subgroupBroadcast(v, 5u)) + (subgroupBroadcast(v, 6u) + subgroupBroadcast(v, 7u));
  return near + far;
}
