// The first of three sampling kernels: a row's raw logits are checked, bias and penalties change a copy of them, and each
// workgroup notes the largest of its 1,024 tokens, raw and changed.
// sample-rows.wgsl is appended.

struct Params {
  vocabSize: u32,
}

struct Entry {
  token: u32,
  bias: f32,
  frequency: f32,
  flags: u32,
}
const REPEATED = 1u;
const SAMPLED = 2u;

@group(0) @binding(0) var<storage, read> rows: array<Row>;
@group(0) @binding(1) var<storage, read> entries: array<Entry>;
@group(0) @binding(2) var<storage, read> logits: array<u32>;
@group(0) @binding(3) var<storage, read_write> scores: array<u32>;
@group(0) @binding(4) var<storage, read_write> largest: array<BlockLargest>;
@group(0) @binding(5) var<storage, read_write> histogram: array<u32>;
@group(0) @binding(6) var<uniform> params: Params;

// All begin at 0, and so tokens are kept inverted: the highest is the lowest token.
var<workgroup> key: atomic<u32>;
var<workgroup> rawKey: atomic<u32>;
var<workgroup> token: atomic<u32>;
var<workgroup> rawToken: atomic<u32>;
var<workgroup> broken: atomic<u32>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let row = rows[group.y];
  let blockCount = (params.vocabSize + BLOCK - 1u) / BLOCK;
  let first = group.x * BLOCK + thread * 4u;
  let copied = group.y * blockCount * BLOCK;

  for (var i = group.x * THREADS + thread; i < HISTOGRAM_LENGTH; i += blockCount * THREADS) {
    histogram[group.y * HISTOGRAM_LENGTH + i] = 0u;
  }

  var ownRaw = Best(0u, 0u);
  var ownBroken = NONE;
  for (var i = 0u; i < 4u; i++) {
    var bits = MINUS_INFINITY;
    if (first + i < params.vocabSize) {
      bits = logits[row.logitsRow * params.vocabSize + first + i];
      if (isBroken(bits)) {
        ownBroken = min(ownBroken, first + i);
      }
      ownRaw = better(ownRaw, orderOf(bits), first + i);
    }
    scores[copied + first + i] = bits;
  }

  var own = ownRaw;
  if (row.entryCount > 0u) {
    storageBarrier();
    let end = row.firstEntry + row.entryCount;
    let blockEnd = (group.x + 1u) * BLOCK;
    for (var i = firstEntryAt(row, group.x * BLOCK) + thread; i < end; i += THREADS) {
      let entry = entries[i];
      if (entry.token >= blockEnd) {
        break;
      }
      scores[copied + entry.token] = changed(row, entry, scores[copied + entry.token]);
    }
    storageBarrier();
    own = Best(0u, 0u);
    for (var i = 0u; i < 4u; i++) {
      if (first + i < params.vocabSize) {
        own = better(own, orderOf(scores[copied + first + i]), first + i);
      }
    }
  }

  atomicMax(&key, own.key);
  atomicMax(&rawKey, ownRaw.key);
  atomicMax(&broken, ~ownBroken);
  workgroupBarrier();
  if (atomicLoad(&key) == own.key) {
    atomicMax(&token, ~own.token);
  }
  if (atomicLoad(&rawKey) == ownRaw.key) {
    atomicMax(&rawToken, ~ownRaw.token);
  }
  workgroupBarrier();
  if (thread == 0u) {
    largest[group.y * blockCount + group.x] = BlockLargest(
      atomicLoad(&key), ~atomicLoad(&token), atomicLoad(&rawKey), ~atomicLoad(&rawToken), ~atomicLoad(&broken),
    );
  }
}

// The row's first entry of a token from `least` on; they are sorted by token.
fn firstEntryAt(row: Row, least: u32) -> u32 {
  var low = row.firstEntry;
  var high = row.firstEntry + row.entryCount;
  while (low < high) {
    let middle = (low + high) / 2u;
    if (entries[middle].token < least) {
      low = middle + 1u;
    } else {
      high = middle;
    }
  }
  return low;
}

// In the order of sampling/plan.ts. A token that is ruled out stays so.
fn changed(row: Row, entry: Entry, bits: u32) -> u32 {
  if (bits == MINUS_INFINITY) {
    return bits;
  }
  var logit = held(bitcast<f32>(bits) + entry.bias);
  if ((entry.flags & REPEATED) != 0u) {
    logit = held(logit * select(row.repetition, row.repetitionInverse, logit > 0.0));
  }
  if ((entry.flags & SAMPLED) != 0u) {
    logit = held(logit - entry.frequency);
    logit = held(logit - row.presence);
  }
  return bitcast<u32>(logit);
}

// Also between two operations, which a compiler would else join into one that rounds once.
fn held(logit: f32) -> f32 {
  return clamp(logit, -0x1.fffffep+127, 0x1.fffffep+127);
}
