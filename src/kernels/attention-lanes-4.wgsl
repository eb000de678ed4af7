// How the lanes of attention-prefill-broadcast.wgsl share keys, queries and weights, in subgroups of 4. Appended: from-lane-4.wgsl.
const LANES = 4u;

alias OwnVectors = mat4x4<f32>;

fn ownVectors(row: KvRow, index: u32) -> OwnVectors {
  return OwnVectors(
    vectorAt(row, index), vectorAt(row, index + 4u), vectorAt(row, index + 8u), vectorAt(row, index + 12u),
  );
}

// Adds the products of vectors `first` ... `first` + 3; those past the head are zero.
fn addProducts(scores: Scores, q: OctetOfIndices, keys: Keys, first: u32, lane: u32) -> Scores {
  let low = loadQueries(q.low, first + lane);
  var high: Quad;
  if (OCTET) {
    high = loadQueries(q.high, first + lane);
  }
  let after0 = addVector(scores, keys, first, fromLane0(low), fromLane0(high));
  let after1 = addVector(after0, keys, first + 1u, fromLane1(low), fromLane1(high));
  let after2 = addVector(after1, keys, first + 2u, fromLane2(low), fromLane2(high));
  return addVector(after2, keys, first + 3u, fromLane3(low), fromLane3(high));
}

// Adds the weighted values of slots `slot` ... `slot` + 3, whose weights the lanes hold.
fn mixLanes(mixed: Mixed, values: Values, index: u32, slot: u32, own: Octet) -> Mixed {
  let after0 = mixValue(mixed, values, index, slot, weightsOfLane0(own));
  let after1 = mixValue(after0, values, index, slot + 1u, weightsOfLane1(own));
  let after2 = mixValue(after1, values, index, slot + 2u, weightsOfLane2(own));
  return mixValue(after2, values, index, slot + 3u, weightsOfLane3(own));
}

fn weightsOfLane0(own: Octet) -> Octet {
  return Octet(quadBroadcast(own.low, 0u), quadBroadcast(own.high, 0u));
}

fn weightsOfLane1(own: Octet) -> Octet {
  return Octet(quadBroadcast(own.low, 1u), quadBroadcast(own.high, 1u));
}

fn weightsOfLane2(own: Octet) -> Octet {
  return Octet(quadBroadcast(own.low, 2u), quadBroadcast(own.high, 2u));
}

fn weightsOfLane3(own: Octet) -> Octet {
  return Octet(quadBroadcast(own.low, 3u), quadBroadcast(own.high, 3u));
}

fn maxOfLanes(v: vec4<f32>) -> vec4<f32> {
  return max(max(quadBroadcast(v, 0u), quadBroadcast(v, 1u)), max(quadBroadcast(v, 2u), quadBroadcast(v, 3u)));
}

fn sumOfLanes(v: vec4<f32>) -> vec4<f32> {
  return (quadBroadcast(v, 0u) + quadBroadcast(v, 1u)) + (quadBroadcast(v, 2u) + quadBroadcast(v, 3u));
}
