// How kernels see weights of every format: groups of 32, decoded from the planes `quants` and `extras` that the kernel binds.
// A format's own prelude, which follows, defines GROUPS_PER_UNIT, QUANT_VECTORS, EXTRA_WORDS, HAS_OFFSET, RAW_SCALE and
//   fn load_group(unit: u32, lane: u32, group: u32) -> Group
// for row `lane` of its tile, `unit` counted over all tiles. Weight 4 i + b of the group is
//   scale * RAW_SCALE[b] * raw[i][b] + offset
// where offset is 0 unless HAS_OFFSET. RAW_SCALE and scale are left to the caller, to apply once to a sum.
struct Group {
  raw: array<vec4<f32>, 8>,
  scale: f32,
  offset: f32,
}

// Bytes become floats where they stand, by masks, and RAW_SCALE takes them down: shifts are slow on CPU adapters.
const BYTE_SCALE = vec4<f32>(1.0, 0x1p-8, 0x1p-16, 0x1p-24);

// Four bytes below 128.
fn floats_of_bytes(word: u32) -> vec4<f32> {
  return vec4<f32>(vec4<i32>(vec4<u32>(word) & vec4<u32>(0xffu, 0xff00u, 0xff0000u, 0x7f000000u)));
}

// Weights 0 ... 15 from the bytes of `low`, 16 ... 31 from those of `high`.
fn group_of_bytes(low: vec4<u32>, high: vec4<u32>, scale: f32, offset: f32) -> Group {
  return Group(
    array<vec4<f32>, 8>(
      floats_of_bytes(low.x), floats_of_bytes(low.y), floats_of_bytes(low.z), floats_of_bytes(low.w),
      floats_of_bytes(high.x), floats_of_bytes(high.y), floats_of_bytes(high.z), floats_of_bytes(high.w),
    ),
    scale,
    offset,
  );
}

fn low_nibbles(q: vec4<u32>) -> vec4<u32> {
  return q & vec4<u32>(0x0f0f0f0fu);
}

fn high_nibbles(q: vec4<u32>) -> vec4<u32> {
  return (q >> vec4<u32>(4u)) & vec4<u32>(0x0f0f0f0fu);
}

// Fifth bits of weights 0 ... 15 and 16 ... 31, in the place of bit 4 of each byte.
fn low_fifth_bits(bits: u32) -> vec4<u32> {
  return (vec4<u32>(bits << 4u, bits << 3u, bits << 2u, bits << 1u)) & vec4<u32>(0x10101010u);
}

fn high_fifth_bits(bits: u32) -> vec4<u32> {
  return (vec4<u32>(bits, bits >> 1u, bits >> 2u, bits >> 3u)) & vec4<u32>(0x10101010u);
}

fn vector_of(unit: u32, lane: u32, j: u32) -> vec4<u32> {
  return quants[(unit * QUANT_VECTORS + j) * 32u + lane];
}

fn extra_of(unit: u32, lane: u32, j: u32) -> u32 {
  return extras[(unit * EXTRA_WORDS + j) * 32u + lane];
}

// Half 0 or 1 of a word, widened before anything is multiplied: f16 scales may be subnormal.
fn half_of(word: u32, index: u32) -> f32 {
  let both = unpack2x16float(word);
  return select(both.x, both.y, index != 0u);
}
