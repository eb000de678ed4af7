// The second of three sampling kernels: logits become distances from the largest one, weights are summed by distance, and each
// workgroup draws among its 1,024 tokens as if no filter acted.
// sample-rows.wgsl and sample-draw.wgsl are appended.

struct Params {
  vocabSize: u32,
}

@group(0) @binding(0) var<storage, read> rows: array<Row>;
@group(0) @binding(1) var<storage, read> logits: array<u32>;
@group(0) @binding(2) var<storage, read> weights: array<u32>;
@group(0) @binding(3) var<storage, read> largest: array<BlockLargest>;
@group(0) @binding(4) var<storage, read_write> scores: array<u32>;
@group(0) @binding(5) var<storage, read_write> histogram: array<atomic<u32>>;
@group(0) @binding(6) var<storage, read_write> best: array<BlockBest>;
@group(0) @binding(7) var<uniform> params: Params;

// All begin at 0. Tokens and the least distance are kept inverted.
var<workgroup> key: atomic<u32>;
var<workgroup> rawKey: atomic<u32>;
var<workgroup> nearest: atomic<u32>;
var<workgroup> least: atomic<u32>;
var<workgroup> score: atomic<u32>;
var<workgroup> token: atomic<u32>;
// The raw weights by halves of 16 bits, so that 1,024 of them fit.
var<workgroup> massLow: atomic<u32>;
var<workgroup> massHigh: atomic<u32>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let row = rows[group.y];
  let draws = (row.flags & GREEDY) == 0u;
  if (!draws && (row.flags & LOGPROBS) == 0u) {
    return;
  }
  let blockCount = (params.vocabSize + BLOCK - 1u) / BLOCK;
  for (var block = thread; block < blockCount; block += THREADS) {
    let other = largest[group.y * blockCount + block];
    atomicMax(&key, other.key);
    atomicMax(&rawKey, other.rawKey);
  }
  workgroupBarrier();

  let first = group.x * BLOCK + thread * 4u;
  if ((row.flags & LOGPROBS) != 0u) {
    let rawLargest = bitcast<f32>(bitsOfOrder(atomicLoad(&rawKey)));
    for (var i = 0u; i < 4u; i++) {
      if (first + i < params.vocabSize) {
        let bits = logits[row.logitsRow * params.vocabSize + first + i];
        let weight = weightOf(distanceOf(bits, rawLargest, 1.0));
        atomicAdd(&massLow, weight & 0xffffu);
        atomicAdd(&massHigh, weight >> 16u);
      }
    }
  }

  var distances = vec4<u32>(MAX_DISTANCE);
  var bits = vec4<u32>(0u);
  var own = Best(0u, 0u);
  if (draws) {
    let start = group.y * blockCount * BLOCK + first;
    let keyLargest = bitcast<f32>(bitsOfOrder(atomicLoad(&key)));
    for (var i = 0u; i < 4u; i++) {
      distances[i] = distanceOf(scores[start + i], keyLargest, row.factor);
      scores[start + i] = distances[i];
      atomicMax(&nearest, ~distances[i]);
    }
    if ((row.flags & (TOP_K | TOP_P)) != 0u) {
      for (var i = 0u; i < 4u; i++) {
        count(group.y, distances[i]);
      }
    }
    // Few tokens can win, which the leading bits of their noise tell cheaply.
    if (any(distances < vec4<u32>(MAX_DISTANCE))) {
      bits = randomBits(row, first / 4u);
      for (var i = 0u; i < 4u; i++) {
        if (distances[i] < MAX_DISTANCE) {
          atomicMax(&least, lowestScore(bits[i], distances[i]));
        }
      }
    }
  }
  workgroupBarrier();
  for (var i = 0u; i < 4u; i++) {
    if (distances[i] < MAX_DISTANCE && highestScore(bits[i], distances[i]) >= atomicLoad(&least)) {
      own = better(own, scoreOf(bits[i], distances[i]), first + i);
    }
  }
  atomicMax(&score, own.key);
  workgroupBarrier();
  if (atomicLoad(&score) == own.key) {
    atomicMax(&token, ~own.token);
  }
  workgroupBarrier();
  if (thread == 0u) {
    let low = atomicLoad(&massLow);
    let high = atomicLoad(&massHigh) + (low >> 16u);
    best[group.y * blockCount + group.x] = BlockBest(
      ~atomicLoad(&nearest), atomicLoad(&score), ~atomicLoad(&token), (high << 16u) | (low & 0xffffu), high >> 16u,
    );
  }
}

fn count(row: u32, distance: u32) {
  if (distance >= MAX_DISTANCE) {
    return;
  }
  let bucket = row * HISTOGRAM_LENGTH + (distance >> (2u * DIGIT_BITS)) * 3u;
  let weight = weightOf(distance);
  atomicAdd(&histogram[bucket], 1u);
  let before = atomicAdd(&histogram[bucket + 1u], weight);
  if (before + weight < before) {
    atomicAdd(&histogram[bucket + 2u], 1u);
  }
}
