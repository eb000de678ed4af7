// Keys and values into q8_0: see kv-layout.ts, and quantizeBlock in kv-q8_0.ts, which gives the same bits.

const BLOCK = 32u;
const HALF_MAX = 65504.0;
const HALF_NAN = 0x7e00u;

var<workgroup> vector: array<f32, HEAD_DIM>;

// pair: of the head's dimensions (2 pair, 2 pair + 1).
fn keepPair(head: u32, position: u32, pair: u32, values: vec2<f32>) {
  vector[2u * pair] = values.x;
  vector[2u * pair + 1u] = values.y;
}

// Once a workgroup has kept all pairs: a thread writes whole words. head: of all keys and values in order, [page, key | value,
// kvHead].
fn finishRow(head: u32, position: u32, thread: u32) {
  workgroupBarrier();
  let words = HEAD_DIM / 4u;
  let scaleWords = (HEAD_DIM + 63u) / 64u;
  let start = head * PAGE * (words + scaleWords);
  for (var word = thread; word < words; word += THREADS) {
    let d = 4u * word;
    let values = vec4<f32>(vector[d], vector[d + 1u], vector[d + 2u], vector[d + 3u]);
    kv[start + position * words + word] = quantized(values, scaleOf(d / BLOCK));
  }
  for (var word = thread; word < scaleWords; word += THREADS) {
    kv[start + PAGE * words + position * scaleWords + word] = scaleOf(2u * word) | (scaleOf(2u * word + 1u) << 16u);
  }
}

// 128 times the block's scale in half precision; 0 past the head. NaN and infinities are told by their bits, which are in the
// order of the numbers: compilers may assume that there are none.
fn scaleOf(block: u32) -> u32 {
  var largest = 0u;
  for (var d = block * BLOCK; d < min((block + 1u) * BLOCK, HEAD_DIM); d++) {
    largest = max(largest, bitcast<u32>(vector[d]) & 0x7fffffffu);
  }
  if (largest >= 0x7f800000u) {
    return HALF_NAN;
  }
  return pack2x16float(vec2<f32>(min(min(bitcast<f32>(largest), HALF_MAX) * (128.0 / 127.0), HALF_MAX), 0.0));
}

// Division is not exact in WGSL, so its quotient is only near: how far the value is from that multiple is exact, and says
// which one is the nearest. Halves go upwards.
fn quantized(values: vec4<f32>, half: u32) -> u32 {
  if (half == 0u || half == HALF_NAN) {
    return 0u;
  }
  let scale = unpack2x16float(half).x / 128.0;
  let near = round(clamp(values / scale, vec4<f32>(-127.0), vec4<f32>(127.0)));
  let rest = values - near * scale;
  let up = select(vec4<i32>(0), vec4<i32>(1), rest >= vec4<f32>(0.5 * scale));
  let down = select(vec4<i32>(0), vec4<i32>(1), rest < vec4<f32>(-0.5 * scale));
  let bytes = vec4<u32>(clamp(vec4<i32>(near) + up - down, vec4<i32>(-127), vec4<i32>(127))) & vec4<u32>(0xffu);
  return bytes.x | (bytes.y << 8u) | (bytes.z << 16u) | (bytes.w << 24u);
}
