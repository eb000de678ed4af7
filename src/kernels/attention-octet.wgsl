// Numbers of 8 rows at once: of attention-prefill-broadcast.wgsl.

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
