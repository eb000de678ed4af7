// Keys and values in f16, 8 dimensions of a head at a time: see kv-layout.ts.

alias KvWord = vec4<u32>;
// Index of the first word.
alias KvRow = u32;

struct KvVectors {
  low: vec4<f32>,
  high: vec4<f32>,
}

// head: of all keys and values in order, [page, key | value, kvHead]; position: in the page.
fn kvRow(head: u32, position: u32) -> KvRow {
  return (head * PAGE + position) * (HEAD_DIM / 8u);
}

fn kvVectors(row: KvRow, index: u32) -> KvVectors {
  let packed = kv[row + index];
  return KvVectors(
    vec4<f32>(unpack2x16float(packed.x), unpack2x16float(packed.y)),
    vec4<f32>(unpack2x16float(packed.z), unpack2x16float(packed.w)),
  );
}
