// As attention-prefill.wgsl, for CPU adapters: a workgroup is one subgroup and makes 8 rows of one head. Appended are
// attention-broadcast.wgsl and all that it wants.
enable subgroups;

struct Params {
  headCount: u32,
  kvHeadCount: u32,
  window: u32,
  softCap: f32,
}

struct Step {
  rowCount: u32,
  wantCount: u32,
}

// Vectors are 4 dimensions of one head.
@group(0) @binding(0) var<uniform> step: Step;
@group(0) @binding(1) var<storage, read> queries: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> kv: array<KvWord>;
@group(0) @binding(3) var<storage, read> rows: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read> pages: array<u32>;
@group(0) @binding(5) var<storage, read_write> output: array<vec4<f32>>;
@group(0) @binding(6) var<uniform> params: Params;

override HEAD_DIM: u32;

const OCTET = true;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let firstRow = group.x * ROWS;
  let head = group.y;
  let kvHead = head / (params.headCount / params.kvHeadCount);
  let floats = HEAD_DIM / 4u;
  let lastRow = min(firstRow + ROWS, step.rowCount) - 1u;

  // Rows beyond the last repeat it, and are not written.
  let own = OctetOfIndices(
    min(vec4<u32>(firstRow) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(lastRow)),
    min(vec4<u32>(firstRow) + vec4<u32>(4u, 5u, 6u, 7u), vec4<u32>(lastRow)),
  );
  let q = OctetOfIndices((own.low * params.headCount + head) * floats, (own.high * params.headCount + head) * floats);

  var seen = nothingSeen();
  // Consecutive rows of one sequence share its keys; the rows here are mostly of one.
  var runStart = firstRow;
  while (runStart <= lastRow) {
    let pageTable = rows[runStart].z;
    var runEnd = runStart;
    var firstKey = 0xffffffffu;
    var lastKey = 0u;
    while (runEnd <= lastRow) {
      if (rows[runEnd].z != pageTable) {
        break;
      }
      let position = rows[runEnd].y;
      firstKey = min(firstKey, firstKeyOf(position));
      lastKey = max(lastKey, position);
      runEnd += 1u;
    }
    let positions = OctetOfIndices(positionsOf(own.low), positionsOf(own.high));
    // What rows see: keys from `begin` on, before `end`; nothing for rows of another run.
    let begin = OctetOfIndices(firstKeysOf(positions.low), firstKeysOf(positions.high));
    let end = OctetOfIndices(
      select(vec4<u32>(0u), positions.low + 1u, (own.low >= vec4<u32>(runStart)) & (own.low < vec4<u32>(runEnd))),
      select(vec4<u32>(0u), positions.high + 1u, (own.high >= vec4<u32>(runStart)) & (own.high < vec4<u32>(runEnd))),
    );

    for (var tile = firstKey / TILE; tile <= lastKey / TILE; tile++) {
      let tileStart = tile * TILE;
      let keyHead = pages[pageTable + tileStart / PAGE] * 2u * params.kvHeadCount + kvHead;
      seen = addTile(seen, q, keyHead, tileStart, lastKey, begin, end, lane);
    }
    runStart = runEnd;
  }

  let totals = Octet(sumOfLanes(seen.sum.low), sumOfLanes(seen.sum.high));
  for (var i = 0u; i < ROWS; i++) {
    if (firstRow + i <= lastRow) {
      let total = select(totals.low[i % 4u], totals.high[i % 4u], i >= 4u);
      writeRow(((firstRow + i) * params.headCount + head) * floats, lane, seen, i, total);
    }
  }
}

fn writeVector(at: u32, value: vec4<f32>) {
  output[at] = value;
}

fn positionsOf(ofRows: vec4<u32>) -> vec4<u32> {
  return vec4<u32>(rows[ofRows.x].y, rows[ofRows.y].y, rows[ofRows.z].y, rows[ofRows.w].y);
}

fn firstKeysOf(positions: vec4<u32>) -> vec4<u32> {
  return vec4<u32>(firstKeyOf(positions.x), firstKeyOf(positions.y), firstKeyOf(positions.z), firstKeyOf(positions.w));
}
