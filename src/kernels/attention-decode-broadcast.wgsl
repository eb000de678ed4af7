// As attention-decode.wgsl, for CPU adapters, to which its barriers cost more than its products: a workgroup is one subgroup, and
// makes a chunk of 256 keys for a row and up to four or eight query heads of one KV head. Appended are attention-broadcast.wgsl, whose rows
// are these heads, and all that it wants.
enable subgroups;

struct Params {
  headCount: u32,
  kvHeadCount: u32,
  window: u32,
  softCap: f32,
  maxChunks: u32,
}

// Vectors are 4 dimensions of one head.
@group(0) @binding(0) var<storage, read> queries: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> kv: array<KvWord>;
@group(0) @binding(2) var<storage, read> rows: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read> pages: array<u32>;
@group(0) @binding(4) var<storage, read_write> partials: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> output: array<vec4<f32>>;
@group(0) @binding(6) var<uniform> params: Params;

override HEAD_DIM: u32;
// Whether a workgroup takes eight heads, or four.
override OCTET: bool;

const CHUNK = 256u;

// A row whose keys lie in one chunk is finished here.
var<private> isWhole: bool;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = group.z;
  let position = rows[row].y;
  let chunkStart = group.x * CHUNK;
  let firstKey = firstKeyOf(position);
  if (chunkStart > position || chunkStart + CHUNK <= firstKey) {
    return;
  }
  let groupSize = params.headCount / params.kvHeadCount;
  let heads = select(4u, 8u, OCTET);
  let shares = (groupSize + heads - 1u) / heads;
  let kvHead = group.y / shares;
  let groupHead = (group.y % shares) * heads;
  // Heads beyond the group repeat its last one, and are not written.
  let spare = vec4<u32>(groupSize - 1u - groupHead);
  let firstHead = row * params.headCount + kvHead * groupSize + groupHead;
  let floats = HEAD_DIM / 4u;
  let q = OctetOfIndices(
    (firstHead + min(vec4<u32>(0u, 1u, 2u, 3u), spare)) * floats,
    (firstHead + min(vec4<u32>(4u, 5u, 6u, 7u), spare)) * floats,
  );
  let lastKey = min(position, chunkStart + CHUNK - 1u);
  let begin = OctetOfIndices(vec4<u32>(firstKey), vec4<u32>(firstKey));
  let end = OctetOfIndices(vec4<u32>(lastKey + 1u), vec4<u32>(lastKey + 1u));

  var seen = nothingSeen();
  for (var tile = max(firstKey, chunkStart) / TILE; tile <= lastKey / TILE; tile++) {
    let tileStart = tile * TILE;
    let keyHead = pages[rows[row].z + tileStart / PAGE] * 2u * params.kvHeadCount + kvHead;
    seen = addTile(seen, q, keyHead, tileStart, lastKey, begin, end, lane);
  }

  let totals = Octet(sumOfLanes(seen.sum.low), sumOfLanes(seen.sum.high));
  isWhole = firstKey / CHUNK == position / CHUNK;
  let stride = (floats + 1u) * params.maxChunks;
  for (var i = 0u; i < min(spare.x + 1u, heads); i++) {
    let head = firstHead + i;
    let total = select(totals.low[i % 4u], totals.high[i % 4u], i >= 4u);
    if (isWhole) {
      writeRow(head * floats, lane, seen, i, total);
    } else {
      let start = head * stride + group.x * (floats + 1u);
      writeRow(start + 1u, lane, seen, i, 1.0);
      if (lane == 0u) {
        partials[start] = vec4<f32>(select(seen.most.low[i % 4u], seen.most.high[i % 4u], i >= 4u), total, 0.0, 0.0);
      }
    }
  }
}

fn writeVector(at: u32, value: vec4<f32>) {
  if (isWhole) {
    output[at] = value;
  } else {
    partials[at] = value;
  }
}
