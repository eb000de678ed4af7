// Keys and values in f16, 4 dimensions of a head at a time: see kv-layout.ts.

alias KvWord = vec2<u32>;
// Index of the first word.
alias KvRow = u32;

// head: of all keys and values in order, [page, key | value, kvHead]; position: in the page.
fn kvRow(head: u32, position: u32) -> KvRow {
  return (head * PAGE + position) * (HEAD_DIM / 4u);
}

fn kvVector(row: KvRow, index: u32) -> vec4<f32> {
  let packed = kv[row + index];
  return vec4<f32>(unpack2x16float(packed.x), unpack2x16float(packed.y));
}
