// How kernels see weights of every format: groups of 32, decoded from the planes `quants` and `extras` that the kernel binds.
// A format's own prelude, which follows, defines GROUPS_PER_UNIT, QUANT_VECTORS, EXTRA_WORDS, HAS_OFFSET, RAW_SCALE and
//   fn loadGroup(unit: u32, lane: u32, group: u32) -> Group
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
fn floatsOfBytes(word: u32) -> vec4<f32> {
  return vec4<f32>(vec4<i32>(vec4<u32>(word) & vec4<u32>(0xffu, 0xff00u, 0xff0000u, 0x7f000000u)));
}

// Weights 0 ... 15 from the bytes of `low`, 16 ... 31 from those of `high`.
fn groupOfBytes(low: vec4<u32>, high: vec4<u32>, scale: f32, offset: f32) -> Group {
  return Group(
    array<vec4<f32>, 8>(
      floatsOfBytes(low.x), floatsOfBytes(low.y), floatsOfBytes(low.z), floatsOfBytes(low.w),
      floatsOfBytes(high.x), floatsOfBytes(high.y), floatsOfBytes(high.z), floatsOfBytes(high.w),
    ),
    scale,
    offset,
  );
}

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

// The sum of weight times x over the group; `sum` is that of x alone, as sumOf gives it where HAS_OFFSET.
fn dotGroup(group: Group, x: array<vec4<f32>, 8>, sum: f32) -> f32 {
  let raw = ((group.raw[0] * x[0] + group.raw[1] * x[1]) + (group.raw[2] * x[2] + group.raw[3] * x[3]))
    + ((group.raw[4] * x[4] + group.raw[5] * x[5]) + (group.raw[6] * x[6] + group.raw[7] * x[7]));
  let product = group.scale * dot(raw, RAW_SCALE);
  if (HAS_OFFSET) {
    return product + group.offset * sum;
  }
  return product;
}

fn sumOf(x: array<vec4<f32>, 8>) -> f32 {
  if (HAS_OFFSET) {
    return dot(((x[0] + x[1]) + (x[2] + x[3])) + ((x[4] + x[5]) + (x[6] + x[7])), vec4<f32>(1.0));
  }
  return 0.0;
}
