// Keys and values in q8_0, 8 dimensions of a head at a time: see kv-layout.ts. Appended is signed-bytes.wgsl.

// Scales are kept times 128, and bytes become floats where they stand.
const QUANT_SCALE = vec4<f32>(0x1p-7, 0x1p-15, 0x1p-23, 0x1p-31);

alias KvWord = vec2<u32>;

// Index of the first word of quants, and of the first u32 of scales.
struct KvRow {
  quants: u32,
  scales: u32,
}

struct KvVectors {
  low: vec4<f32>,
  high: vec4<f32>,
}

// head: of all keys and values in order, [page, key | value, kvHead]; position: in the page.
fn kvRow(head: u32, position: u32) -> KvRow {
  let words = HEAD_DIM / 8u;
  let scaleWords = (HEAD_DIM + 63u) / 64u;
  let start = head * PAGE * (2u * words + scaleWords);
  return KvRow(start / 2u + position * words, start + PAGE * 2u * words + position * scaleWords);
}

// Exact: quants have 8 bits and scales 11.
fn kvVectors(row: KvRow, index: u32) -> KvVectors {
  let block = index / 4u;
  let word = row.scales + block / 2u;
  let scales = unpack2x16float(kv[word / 2u][word % 2u]);
  let factors = select(scales.x, scales.y, block % 2u == 1u) * QUANT_SCALE;
  let packed = kv[row.quants + index];
  return KvVectors(floatsOfSignedBytes(packed.x) * factors, floatsOfSignedBytes(packed.y) * factors);
}
