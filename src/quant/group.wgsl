// How kernels see weights of every format: groups of 32, decoded from the planes `quants` and `extras` that the kernel binds.
// A format's own prelude, which comes last, defines GROUPS_PER_UNIT, QUANT_VECTORS, EXTRA_WORDS, HAS_OFFSET, RAW_SCALE and
//   fn loadGroup(unit: u32, lane: u32, group: u32) -> Group
// for row `lane` of its tile, `unit` counted over all tiles. What a Group is depends on the arithmetic: group-f32.wgsl and
// group-int8.wgsl, one of which comes between. They define
//   fn groupOfBytes(low: vec4<u32>, high: vec4<u32>, middle: f32, scale: f32, offset: f32) -> Group
//   fn groupOfSignedBytes(low: vec4<u32>, high: vec4<u32>, scale: f32) -> Group
//   fn groupOfSixBits(low: vec4<u32>, high: vec4<u32>, scales: vec2<f32>, scale: f32) -> Group
// with weights 0 ... 15 in the bytes of `low` and 16 ... 31 in those of `high`. Weights are scale * byte + offset, with bytes below
// 128; or scale * byte, with signed ones; or scale * scales[0 for low, 1 for high] * (byte - 32), with bytes below 64. `offset` is
// 0 unless HAS_OFFSET; `middle` is that of the bytes' range.

// For arithmetic with floats: what raw weights of the four bytes of a word are multiplied by, where they are taken as they stand.
const BYTE_SCALE = vec4<f32>(1.0, 0x1p-8, 0x1p-16, 0x1p-24);

fn lowNibbles(q: vec4<u32>) -> vec4<u32> {
  return q & vec4<u32>(0x0f0f0f0fu);
}

fn highNibbles(q: vec4<u32>) -> vec4<u32> {
  return (q >> vec4<u32>(4u)) & vec4<u32>(0x0f0f0f0fu);
}

// Fifth bits of weights 0 ... 15 and 16 ... 31, in the place of bit 4 of each byte.
fn lowFifthBits(bits: u32) -> vec4<u32> {
  return (vec4<u32>(bits << 4u, bits << 3u, bits << 2u, bits << 1u)) & vec4<u32>(0x10101010u);
}

fn highFifthBits(bits: u32) -> vec4<u32> {
  return (vec4<u32>(bits, bits >> 1u, bits >> 2u, bits >> 3u)) & vec4<u32>(0x10101010u);
}

fn vectorOf(unit: u32, lane: u32, j: u32) -> vec4<u32> {
  return quants[(unit * QUANT_VECTORS + j) * 32u + lane];
}

fn extraOf(unit: u32, lane: u32, j: u32) -> u32 {
  return extras[(unit * EXTRA_WORDS + j) * 32u + lane];
}

// Half 0 or 1 of a word, widened before anything is multiplied: f16 scales may be subnormal.
fn halfOf(word: u32, index: u32) -> f32 {
  let both = unpack2x16float(word);
  return select(both.x, both.y, index != 0u);
}
