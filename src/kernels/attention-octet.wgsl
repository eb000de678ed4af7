// Numbers of 8 rows at once, and how the 4 lanes of a subgroup share them: of attention-prefill-quads.wgsl.

alias Quad = mat4x4<f32>;

// One number for each of the workgroup's rows.
struct Octet {
  low: vec4<f32>,
  high: vec4<f32>,
}

struct OctetOfIndices {
  low: vec4<u32>,
  high: vec4<u32>,
}

fn addKey(sum: Octet, key: vec4<f32>, low: Quad, high: Quad) -> Octet {
  return Octet(fold(sum.low, key, low), fold(sum.high, key, high));
}

fn fold(sum: vec4<f32>, key: vec4<f32>, x: Quad) -> vec4<f32> {
  let first = fma(vec4<f32>(key.y), x[1], fma(vec4<f32>(key.x), x[0], sum));
  return fma(vec4<f32>(key.w), x[3], fma(vec4<f32>(key.z), x[2], first));
}

// Of four rows the vector that a lane holds, one component a column.
fn fromLane0(own: Quad) -> Quad {
  return transpose(Quad(
    quadBroadcast(own[0], 0u), quadBroadcast(own[1], 0u), quadBroadcast(own[2], 0u), quadBroadcast(own[3], 0u),
  ));
}

fn fromLane1(own: Quad) -> Quad {
  return transpose(Quad(
    quadBroadcast(own[0], 1u), quadBroadcast(own[1], 1u), quadBroadcast(own[2], 1u), quadBroadcast(own[3], 1u),
  ));
}

fn fromLane2(own: Quad) -> Quad {
  return transpose(Quad(
    quadBroadcast(own[0], 2u), quadBroadcast(own[1], 2u), quadBroadcast(own[2], 2u), quadBroadcast(own[3], 2u),
  ));
}

fn fromLane3(own: Quad) -> Quad {
  return transpose(Quad(
    quadBroadcast(own[0], 3u), quadBroadcast(own[1], 3u), quadBroadcast(own[2], 3u), quadBroadcast(own[3], 3u),
  ));
}

fn masked(scores: Octet, key: u32, begin: OctetOfIndices, end: OctetOfIndices) -> Octet {
  let at = vec4<u32>(key);
  return Octet(
    select(vec4<f32>(MASKED), capped(scores.low), (at >= begin.low) & (at < end.low)),
    select(vec4<f32>(MASKED), capped(scores.high), (at >= begin.high) & (at < end.high)),
  );
}

fn capped(scores: vec4<f32>) -> vec4<f32> {
  if (params.softCap > 0.0) {
    return params.softCap * tanh(clamp(scores / params.softCap, vec4<f32>(-15.0), vec4<f32>(15.0)));
  }
  return scores;
}

fn weightOf(scores: Octet, most: Octet) -> Octet {
  return Octet(
    select(exp(scores.low - most.low), vec4<f32>(0.0), scores.low == vec4<f32>(MASKED)),
    select(exp(scores.high - most.high), vec4<f32>(0.0), scores.high == vec4<f32>(MASKED)),
  );
}

fn maxOfLanes(v: vec4<f32>) -> vec4<f32> {
  return max(max(quadBroadcast(v, 0u), quadBroadcast(v, 1u)), max(quadBroadcast(v, 2u), quadBroadcast(v, 3u)));
}

fn sumOfLanes(v: vec4<f32>) -> vec4<f32> {
  return (quadBroadcast(v, 0u) + quadBroadcast(v, 1u)) + (quadBroadcast(v, 2u) + quadBroadcast(v, 3u));
}
