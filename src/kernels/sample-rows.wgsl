// What the sampling kernels share: rows as sample-rows.ts writes them, what each kernel leaves for the next, and the order of
// logits.

struct Row {
  logitsRow: u32,
  flags: u32,
  factor: f32, // 1 / temperature
  topK: u32,
  topP: u32, // Q32
  minPDistance: u32,
  key0: u32,
  key1: u32,
  index: u32,
  choice: u32,
  firstEntry: u32,
  entryCount: u32,
  repetition: f32,
  repetitionInverse: f32,
  presence: f32,
  topCount: u32,
  place: u32, // in `results`, of the token for later steps
}

const GREEDY = 1u;
const LOGPROBS = 2u;
const TOP_K = 4u;
const TOP_P = 8u;

// Tokens of one workgroup: four a thread, which one Philox block has noise for.
const BLOCK = 1024u;
const THREADS = 256u;
const NONE = 0xffffffffu;

// What sample-adjust leaves of a block. Keys are orderOf(logit); tokens are the lowest of equals.
struct BlockLargest {
  key: u32,
  token: u32,
  rawKey: u32,
  rawToken: u32,
  // The first token whose logit is NaN or +Infinity, or NONE.
  broken: u32,
}

// What sample-weigh leaves of a block.
struct BlockBest {
  // The least distance.
  nearest: u32,
  // The highest noise - distance + SCORE_BIAS, and its lowest token.
  score: u32,
  token: u32,
  // Sum of the raw weights.
  massLow: u32,
  massHigh: u32,
}

const MINUS_INFINITY = 0xff800000u;
const PLUS_INFINITY = 0x7f800000u;

// Floats are told apart by their bits: WGSL may assume that there are no NaN and no infinities.
fn isBroken(bits: u32) -> bool {
  return (bits & 0x7fffffffu) > PLUS_INFINITY || bits == PLUS_INFINITY;
}

// Unsigned integers in the order of the floats; above 0, and the same for both zeros.
fn orderOf(bits: u32) -> u32 {
  if (bits == 0x80000000u) {
    return bits;
  }
  return select(bits | 0x80000000u, ~bits, bits >= 0x80000000u);
}

fn bitsOfOrder(key: u32) -> u32 {
  return select(~key, key & 0x7fffffffu, key >= 0x80000000u);
}

// The highest key so far, and its lowest token.
struct Best {
  key: u32,
  token: u32,
}

fn better(best: Best, key: u32, token: u32) -> Best {
  if (key > best.key || (key == best.key && token < best.token)) {
    return Best(key, token);
  }
  return best;
}

// Distances are told apart by digits: first 1/64, then twice 2^9 finer. Of each first digit, a row's histogram has the number
// of tokens and the two words of their weight.
const DIGIT_BITS = 9u;
const BUCKETS = 1728u;
const HISTOGRAM_LENGTH = 3u * BUCKETS;
