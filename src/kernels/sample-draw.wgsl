// sampling/fixed-point.ts and sampling/rng.ts word for word, for kernels that bind the tables of weights as `weights`.
// Qn = an integer that counts 2^-n.

const MAX_DISTANCE = 27u << 24u;

fn distanceOf(bits: u32, largest: f32, factor: f32) -> u32 {
  if (bits == MINUS_INFINITY) {
    return MAX_DISTANCE;
  }
  let distance = (largest - bitcast<f32>(bits)) * factor;
  if (distance < 27.0) {
    return u32(distance * 0x1p24);
  }
  return MAX_DISTANCE;
}

fn mulHigh(a: u32, b: u32) -> u32 {
  let aLow = a & 0xffffu;
  let aHigh = a >> 16u;
  let bLow = b & 0xffffu;
  let bHigh = b >> 16u;
  let middle = aHigh * bLow + ((aLow * bLow) >> 16u);
  let cross = aLow * bHigh + (middle & 0xffffu);
  return aHigh * bHigh + (middle >> 16u) + (cross >> 16u);
}

fn mulRounded(a: u32, b: u32) -> u32 {
  return mulHigh(a, b) + ((a * b) >> 31u);
}

// Q30, from the coarse table and the fine one behind it; 0 for what is dropped.
const COARSE_LENGTH = 27u * 128u;

fn weightOf(distance: u32) -> u32 {
  if (distance >= MAX_DISTANCE) {
    return 0u;
  }
  let weight = mulRounded(weights[distance >> 17u], weights[COARSE_LENGTH + ((distance >> 8u) & 511u)]);
  return weight - mulRounded(weight, (distance & 255u) << 8u);
}

// Philox4x32-10 of a token's four neighbours, by the key and the counter of its row.
fn randomBits(row: Row, quad: u32) -> vec4<u32> {
  var counter = vec4<u32>(quad, row.index, row.choice, 0u);
  var key = vec2<u32>(row.key0, row.key1);
  for (var round = 0u; round < 10u; round++) {
    let high0 = mulHigh(0xd2511f53u, counter.x);
    let low0 = 0xd2511f53u * counter.x;
    let high1 = mulHigh(0xcd9e8d57u, counter.z);
    let low1 = 0xcd9e8d57u * counter.z;
    counter = vec4<u32>(high1 ^ counter.y ^ key.x, low1, high0 ^ counter.w ^ key.y, low0);
    key += vec2<u32>(0x9e3779b9u, 0xbb67ae85u);
  }
  return counter;
}

// Added to scores, so that they are unsigned and those of all candidates above 0.
const SCORE_BIAS = 0x40000000;

fn scoreOf(bits: u32, distance: u32) -> u32 {
  return u32(gumbelNoise(bits) - i32(distance) + SCORE_BIAS);
}

// Noise of a word with so many leading ones is no more than (ones + 1) ln 2.
fn highestScore(bits: u32, distance: u32) -> u32 {
  let ones = countLeadingZeros(~bits);
  return u32(i32((ones + 1u) * 11629081u) - i32(distance) + SCORE_BIAS);
}

// It is no less than (ones - 1) ln 2 either; -3.2 where there are none.
fn lowestScore(bits: u32, distance: u32) -> u32 {
  let ones = i32(countLeadingZeros(~bits));
  let noise = select((ones - 1) * 11629080, -53687092, ones == 0);
  return u32(noise - i32(distance) + SCORE_BIAS);
}

const LN2_Q32 = 0xb17217f8u;

// Q24
fn gumbelNoise(bits: u32) -> i32 {
  let tail = ~bits;
  if (tail < (1u << 26u)) {
    let wQ33 = 2u * tail + 1u;
    let shift = countLeadingZeros(wQ33);
    let log2Q26 = ((31u - shift) << 26u) + (log2Fraction(wQ33 << shift) >> 5u);
    let minusLnW = mulHigh((33u << 26u) - log2Q26, LN2_Q32) >> 2u;
    let w = wQ33 << 5u;
    let square = mulHigh(w, w);
    let cube = mulHigh(square, w);
    // floor(5 square / 24), whose product would need more than 32 bits
    let part = square / 24u * 5u + square % 24u * 5u / 24u;
    return i32(minusLnW - ((w >> 15u) + (part >> 20u) + (cube >> 29u)));
  }
  let whole = countLeadingZeros(bits);
  // bits + 1/2, shifted up to 32 bits; all ones where bits is 0
  var mantissa = bits;
  if (whole >= 32u) {
    mantissa = 0x80000000u;
  } else if (whole > 0u) {
    mantissa = (bits << whole) | (1u << (whole - 1u));
  }
  let part = 0x80000000u - log2Fraction(mantissa);
  var value = part;
  var exponent = 0u;
  if (whole > 0u) {
    value = (whole << 26u) + (part >> 5u);
    exponent = 5u;
  }
  let lead = countLeadingZeros(value);
  let log2Q26 = (i32(exponent) - i32(lead)) * (1 << 26u) + i32(log2Fraction(value << lead) >> 5u);
  let lnQ24 = i32(mulHigh(u32(abs(log2Q26)), LN2_Q32) >> 2u);
  return 6149066 - select(lnQ24, -lnQ24, log2Q26 < 0);
}

fn log2Fraction(mantissa: u32) -> u32 {
  var y = mantissa;
  var result = 0u;
  for (var bit = 0x40000000u; bit > 0u; bit >>= 1u) {
    let high = mulHigh(y, y);
    if (high >= 0x80000000u) {
      result |= bit;
      y = high;
    } else {
      y = (high << 1u) | ((y * y) >> 31u);
    }
  }
  return result;
}
