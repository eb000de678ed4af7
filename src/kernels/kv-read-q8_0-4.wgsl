// Keys and values in q8_0, 4 dimensions of a head at a time: see kv-layout.ts. Appended is signed-bytes.wgsl.

// Scales are kept times 128, and bytes become floats where they stand.
const QUANT_SCALE = vec4<f32>(0x1p-7, 0x1p-15, 0x1p-23, 0x1p-31);

alias KvWord = u32;

// Indices of the first words.
struct KvRow {
  quants: u32,
  scales: u32,
}

// head: of all keys and values in order, [page, key | value, kvHead]; position: in the page.
fn kvRow(head: u32, position: u32) -> KvRow {
  let words = HEAD_DIM / 4u;
  let scaleWords = (HEAD_DIM + 63u) / 64u;
  let start = head * PAGE * (words + scaleWords);
  return KvRow(start + position * words, start + PAGE * words + position * scaleWords);
}

// Exact: quants have 8 bits and scales 11.
fn kvVector(row: KvRow, index: u32) -> vec4<f32> {
  let block = index / 8u;
  let scales = unpack2x16float(kv[row.scales + block / 2u]);
  let scale = select(scales.x, scales.y, block % 2u == 1u);
  return floatsOfSignedBytes(kv[row.quants + index]) * (scale * QUANT_SCALE);
}
