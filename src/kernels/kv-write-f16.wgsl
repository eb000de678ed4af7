// Keys and values into f16: see kv-layout.ts.

const HALF_MAX = 65504.0;

// pair: of the head's dimensions (2 pair, 2 pair + 1). head: of all keys and values in order, [page, key | value, kvHead].
fn keepPair(head: u32, position: u32, pair: u32, values: vec2<f32>) {
  kv[(head * PAGE + position) * (HEAD_DIM / 2u) + pair] = packed(values);
}

// Once a workgroup has kept all pairs: nothing is left to do.
fn finishRow(head: u32, position: u32, thread: u32) {}

// Packing what lies beyond half precision is indeterminate in WGSL, hence the clamp. It would also make a number of what is
// none, and a wrong answer of a broken model: NaN and infinities are told by their bits, and stored as NaN.
fn packed(pair: vec2<f32>) -> u32 {
  let halves = pack2x16float(clamp(pair, vec2<f32>(-HALF_MAX), vec2<f32>(HALF_MAX)));
  let broken = (bitcast<vec2<u32>>(pair) & vec2<u32>(0x7f800000u)) == vec2<u32>(0x7f800000u);
  return halves | select(0u, 0x7e00u, broken.x) | select(0u, 0x7e000000u, broken.y);
}
