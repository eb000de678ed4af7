// The last of three sampling kernels, one workgroup a row: finds where the filters cut the candidates' order, the winner among
// those before the cut, and the best raw logits.
// The cut is found by digits of the distance (radix selection): the first from the histogram, two more by reading the blocks
// that hold candidates so near. Distances that tie are cut by token.
// sample-rows.wgsl and sample-draw.wgsl are appended.

struct Params {
  vocabSize: u32,
}

@group(0) @binding(0) var<storage, read> rows: array<Row>;
@group(0) @binding(1) var<storage, read> logits: array<u32>;
@group(0) @binding(2) var<storage, read> weights: array<u32>;
@group(0) @binding(3) var<storage, read> largest: array<BlockLargest>;
@group(0) @binding(4) var<storage, read> distances: array<vec4<u32>>;
@group(0) @binding(5) var<storage, read> histogram: array<u32>;
@group(0) @binding(6) var<storage, read> best: array<BlockBest>;
@group(0) @binding(7) var<storage, read_write> results: array<u32>;
@group(0) @binding(8) var<uniform> params: Params;

const RESULT_WORDS = 64u;
const RESULT_TOP = 8u;

// Candidates by number and weight.
struct Measure {
  count: u32,
  low: u32,
  high: u32,
}

// Candidates nearer than `distance`, and those at it up to `token`.
struct Cut {
  distance: u32,
  token: u32,
  // Of all before the cut.
  measure: Measure,
  // Digits of the distance are still to be found.
  open: u32,
}

const DIGITS = 1u << DIGIT_BITS;
const GROUPS = 64u;
// Most blocks of a row: this memory also holds the number of ties in each, or its best raw logit and that one's token.
const MAX_BLOCKS = 512u;

var<workgroup> buckets: array<atomic<u32>, 3u * DIGITS>;
var<workgroup> groups: array<Measure, GROUPS>;
var<workgroup> cut: Cut;
// Both begin at 0; the token is kept inverted.
var<workgroup> score: atomic<u32>;
var<workgroup> token: atomic<u32>;
var<workgroup> rawKey: atomic<u32>;
var<workgroup> broken: atomic<u32>;
var<workgroup> massLow: atomic<u32>;
var<workgroup> massHigh: atomic<u32>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let row = rows[group.x];
  let blockCount = (params.vocabSize + BLOCK - 1u) / BLOCK;
  let firstBlock = group.x * blockCount;
  let place = Place(group.x, firstBlock, blockCount, thread);

  for (var block = thread; block < blockCount; block += THREADS) {
    let raw = largest[firstBlock + block];
    atomicMax(&rawKey, raw.rawKey);
    atomicMax(&broken, ~raw.broken);
    if ((row.flags & LOGPROBS) != 0u) {
      let mass = best[firstBlock + block];
      let before = atomicAdd(&massLow, mass.massLow);
      atomicAdd(&massHigh, mass.massHigh + u32(before + mass.massLow < before));
    }
  }

  var own = Best(0u, 0u);
  if ((row.flags & GREEDY) != 0u) {
    for (var block = thread; block < blockCount; block += THREADS) {
      let each = largest[firstBlock + block];
      own = better(own, each.key, each.token);
    }
  } else {
    own = drawn(row, place, cutOf(row, place));
  }
  atomicMax(&score, own.key);
  workgroupBarrier();
  if (atomicLoad(&score) == own.key) {
    atomicMax(&token, ~own.token);
  }
  workgroupBarrier();

  let result = group.x * RESULT_WORDS;
  if (thread == 0u) {
    let chosen = ~atomicLoad(&token);
    let firstBroken = ~atomicLoad(&broken);
    results[result] = chosen;
    results[row.place] = chosen;
    results[result + 1u] = logits[row.logitsRow * params.vocabSize + min(chosen, params.vocabSize - 1u)];
    results[result + 2u] = firstBroken;
    results[result + 3u] = logits[row.logitsRow * params.vocabSize + min(firstBroken, params.vocabSize - 1u)];
    results[result + 4u] = bitsOfOrder(atomicLoad(&rawKey));
    results[result + 5u] = atomicLoad(&massLow);
    results[result + 6u] = atomicLoad(&massHigh);
  }
  if (row.topCount > 0u) {
    listTop(row, place, result + RESULT_TOP);
  }
}

// Where a thread works.
struct Place {
  row: u32,
  firstBlock: u32,
  blockCount: u32,
  thread: u32,
}

fn isBefore(limit: Cut, distance: u32, token: u32) -> bool {
  return distance < limit.distance || (distance == limit.distance && token <= limit.token);
}

// ---- the draw

// The thread's best score before the cut.
fn drawn(row: Row, place: Place, limit: Cut) -> Best {
  var own = Best(0u, 0u);
  for (var block = place.thread; block < place.blockCount; block += THREADS) {
    let each = best[place.firstBlock + block];
    if (each.nearest < MAX_DISTANCE && isBefore(limit, distanceAt(place, each.token), each.token)) {
      own = better(own, each.score, each.token);
    }
  }
  atomicMax(&score, own.key);
  workgroupBarrier();
  // A block whose winner lies behind the cut may hold a better one before it.
  for (var block = 0u; block < place.blockCount; block++) {
    let each = best[place.firstBlock + block];
    if (
      each.nearest >= MAX_DISTANCE || each.nearest > limit.distance || each.score < atomicLoad(&score) ||
      isBefore(limit, distanceAt(place, each.token), each.token)
    ) {
      continue;
    }
    let first = block * BLOCK + place.thread * 4u;
    let four = distances[(place.firstBlock + block) * THREADS + place.thread];
    if (all(four > vec4<u32>(limit.distance))) {
      continue;
    }
    let bits = randomBits(row, first / 4u);
    for (var i = 0u; i < 4u; i++) {
      if (
        four[i] < MAX_DISTANCE && isBefore(limit, four[i], first + i) &&
        highestScore(bits[i], four[i]) >= atomicLoad(&score)
      ) {
        own = better(own, scoreOf(bits[i], four[i]), first + i);
        atomicMax(&score, own.key);
      }
    }
  }
  return own;
}

fn distanceAt(place: Place, token: u32) -> u32 {
  return distances[(place.firstBlock * BLOCK + token) / 4u][token % 4u];
}

// ---- the cut

fn cutOf(row: Row, place: Place) -> Cut {
  if (place.thread == 0u) {
    cut = Cut(MAX_DISTANCE, NONE, Measure(0u, 0u, 0u), 0u);
  }
  // 0: top_k, 1: top_p of what that left.
  let hasTopK = (row.flags & TOP_K) != 0u;
  let filters = select(1u, 2u, (row.flags & TOP_P) != 0u);
  for (var turn = select(1u, 0u, hasTopK); turn < filters; turn++) {
    var goal = Measure(row.topK, 0u, 0u);
    if (turn == 1u && hasTopK) {
      goal = shareOf(row.topP, workgroupUniformLoad(&cut).measure);
    }
    var shift = 2u * DIGIT_BITS;
    var open = 1u;
    for (var level = 0u; open != 0u; level++) {
      gather(place, level, shift);
      if (place.thread == 0u) {
        if (level == 0u) {
          let total = totalOf();
          if (turn == 1u && !hasTopK) {
            goal = shareOf(row.topP, total);
          }
          cut = Cut(0u, NONE, Measure(0u, 0u, 0u), 1u);
          if (turn == 0u && total.count <= goal.count) {
            cut = Cut(MAX_DISTANCE, NONE, total, 0u);
          }
        }
        if (cut.open != 0u) {
          findDigit(place.row, level, turn == 0u, goal);
        }
        if (shift == 0u) {
          cut.open = 0u;
        }
      }
      open = workgroupUniformLoad(&cut).open;
      shift -= min(shift, DIGIT_BITS);
    }
    if (place.thread == 0u && cut.distance < MAX_DISTANCE) {
      takeTies(turn == 0u, goal);
    }
    let kept = workgroupUniformLoad(&cut);
    if (kept.token != NONE) {
      findTie(place, kept);
    }
  }
  var limit = workgroupUniformLoad(&cut);
  if (row.minPDistance < limit.distance) {
    limit.distance = row.minPDistance;
    limit.token = NONE;
  }
  return limit;
}

// Candidates that share the digits found, by their next digit: in `buckets` but for the first, and in sums of `groups`.
fn gather(place: Place, level: u32, shift: u32) {
  if (level > 0u) {
    let found = workgroupUniformLoad(&cut).distance;
    for (var i = place.thread; i < 3u * DIGITS; i += THREADS) {
      atomicStore(&buckets[i], 0u);
    }
    workgroupBarrier();
    for (var block = 0u; block < place.blockCount; block++) {
      if (best[place.firstBlock + block].nearest >> (shift + DIGIT_BITS) > found) {
        continue;
      }
      let four = distances[(place.firstBlock + block) * THREADS + place.thread];
      for (var i = 0u; i < 4u; i++) {
        if (four[i] >> (shift + DIGIT_BITS) == found) {
          let bucket = ((four[i] >> shift) & (DIGITS - 1u)) * 3u;
          let weight = weightOf(four[i]);
          atomicAdd(&buckets[bucket], 1u);
          let before = atomicAdd(&buckets[bucket + 1u], weight);
          if (before + weight < before) {
            atomicAdd(&buckets[bucket + 2u], 1u);
          }
        }
      }
    }
  }
  workgroupBarrier();
  if (place.thread < GROUPS) {
    var sum = Measure(0u, 0u, 0u);
    let length = groupLength(level);
    for (var i = 0u; i < length; i++) {
      sum = added(sum, bucketAt(place.row, level, place.thread * length + i));
    }
    groups[place.thread] = sum;
  }
  workgroupBarrier();
}

fn groupLength(level: u32) -> u32 {
  return select(DIGITS, BUCKETS, level == 0u) / GROUPS;
}

fn bucketAt(row: u32, level: u32, bucket: u32) -> Measure {
  if (level == 0u) {
    let at = row * HISTOGRAM_LENGTH + 3u * bucket;
    return Measure(histogram[at], histogram[at + 1u], histogram[at + 2u]);
  }
  let at = 3u * bucket;
  return Measure(atomicLoad(&buckets[at]), atomicLoad(&buckets[at + 1u]), atomicLoad(&buckets[at + 2u]));
}

fn totalOf() -> Measure {
  var total = Measure(0u, 0u, 0u);
  for (var i = 0u; i < GROUPS; i++) {
    total = added(total, groups[i]);
  }
  return total;
}

// Appends to `cut` the digit at which the goal is reached, and takes in what is nearer. One thread.
fn findDigit(row: u32, level: u32, byCount: bool, goal: Measure) {
  var before = cut.measure;
  var part = 0u;
  while (part < GROUPS - 1u && !reaches(added(before, groups[part]), goal, byCount)) {
    before = added(before, groups[part]);
    part++;
  }
  let length = groupLength(level);
  var bucket = part * length;
  let last = bucket + length - 1u;
  while (bucket < last && !reaches(added(before, bucketAt(row, level, bucket)), goal, byCount)) {
    before = added(before, bucketAt(row, level, bucket));
    bucket++;
  }
  cut.measure = before;
  cut.distance = (cut.distance << DIGIT_BITS) | bucket;
}

// Takes in as many of the candidates at the cut as reach the goal: all, or `token` of them, which findTie makes a token.
fn takeTies(byCount: bool, goal: Measure) {
  let ties = atomicLoad(&buckets[(cut.distance & (DIGITS - 1u)) * 3u]);
  let weight = weightOf(cut.distance);
  var low = 1u;
  var high = ties;
  while (low < high) {
    let middle = (low + high) / 2u;
    if (reaches(added(cut.measure, times(weight, middle)), goal, byCount)) {
      high = middle;
    } else {
      low = middle + 1u;
    }
  }
  cut.measure = added(cut.measure, times(weight, low));
  if (low < ties) {
    cut.token = low;
  }
}

fn times(weight: u32, count: u32) -> Measure {
  return Measure(count, weight * count, mulHigh(weight, count));
}

// The token that is number `kept.token` among those at the cut, by id, becomes the cut's.
fn findTie(place: Place, kept: Cut) {
  for (var block = place.thread; block < place.blockCount; block += THREADS) {
    atomicStore(&buckets[block], 0u);
  }
  workgroupBarrier();
  for (var block = 0u; block < place.blockCount; block++) {
    let four = distances[(place.firstBlock + block) * THREADS + place.thread];
    let equal = dot(vec4<u32>(1u), vec4<u32>(four == vec4<u32>(kept.distance)));
    if (equal > 0u) {
      atomicAdd(&buckets[block], equal);
    }
  }
  workgroupBarrier();
  if (place.thread == 0u) {
    var left = kept.token;
    var block = 0u;
    while (left > atomicLoad(&buckets[block])) {
      left -= atomicLoad(&buckets[block]);
      block++;
    }
    var token = block * BLOCK;
    while (left > 0u) {
      left -= u32(distanceAt(place, token) == kept.distance);
      token++;
    }
    cut.token = token - 1u;
  }
}

fn added(a: Measure, b: Measure) -> Measure {
  let low = a.low + b.low;
  return Measure(a.count + b.count, low, a.high + b.high + u32(low < a.low));
}

fn reaches(sum: Measure, goal: Measure, byCount: bool) -> bool {
  if (byCount) {
    return sum.count >= goal.count;
  }
  return sum.high > goal.high || (sum.high == goal.high && sum.low >= goal.low);
}

// share, Q32, of a weight; at least 1.
fn shareOf(share: u32, total: Measure) -> Measure {
  let carried = mulHigh(total.low, share);
  let low = total.high * share + carried;
  let high = mulHigh(total.high, share) + u32(low < carried);
  return Measure(0u, select(low, 1u, low == 0u && high == 0u), high);
}

// ---- the best raw logits

// One after the other: the best of all blocks, then that block's next.
fn listTop(row: Row, place: Place, result: u32) {
  for (var block = place.thread; block < place.blockCount; block += THREADS) {
    let raw = largest[place.firstBlock + block];
    atomicStore(&buckets[block], raw.rawKey);
    atomicStore(&buckets[MAX_BLOCKS + block], raw.rawToken);
  }
  for (var rank = 0u; rank < row.topCount; rank++) {
    var own = Best(0u, 0u);
    for (var block = place.thread; block < place.blockCount; block += THREADS) {
      own = better(own, atomicLoad(&buckets[block]), atomicLoad(&buckets[MAX_BLOCKS + block]));
    }
    let found = bestOfAll(place, own);
    if (place.thread == 0u) {
      results[result + 2u * rank] = found.token;
      results[result + 2u * rank + 1u] = bitsOfOrder(found.key);
    }
    let first = found.token / BLOCK * BLOCK + place.thread * 4u;
    var next = Best(0u, 0u);
    for (var i = 0u; i < 4u; i++) {
      if (first + i < params.vocabSize) {
        let key = orderOf(logits[row.logitsRow * params.vocabSize + first + i]);
        if (key < found.key || (key == found.key && first + i > found.token)) {
          next = better(next, key, first + i);
        }
      }
    }
    let following = bestOfAll(place, next);
    if (place.thread == 0u) {
      atomicStore(&buckets[found.token / BLOCK], following.key);
      atomicStore(&buckets[MAX_BLOCKS + found.token / BLOCK], following.token);
    }
  }
}

fn bestOfAll(place: Place, own: Best) -> Best {
  workgroupBarrier();
  if (place.thread == 0u) {
    atomicStore(&score, 0u);
    atomicStore(&token, 0u);
  }
  workgroupBarrier();
  atomicMax(&score, own.key);
  workgroupBarrier();
  if (atomicLoad(&score) == own.key) {
    atomicMax(&token, ~own.token);
  }
  workgroupBarrier();
  return Best(atomicLoad(&score), ~atomicLoad(&token));
}
