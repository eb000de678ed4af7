
// The mat-vec kernels' arithmetic in f16: products of a group are added up in halves, 8 to each, and those sums in f32. A group of x
// is divided by the power of two of its largest number first, so that no sum is too large for a half: weights are at most 128.
// How x comes here: mat-vec-staged.wgsl.

struct Staged {
  // In the order of the weights: group-f16.wgsl.
  halves: array<vec4<f16>, 8>,
  scale: f32,
  // Of x as it was rounded.
  sum: f32,
}

fn stagedOf(x: array<vec4<f32>, 8>) -> Staged {
  let bits = bitcast<u32>(largestOf(x));
  // Neither it nor its inverse may be subnormal. What is no number becomes the scale itself, and stays none.
  let power = clamp(bits & 0x7f800000u, 27u << 23u, 227u << 23u);
  let scale = bitcast<f32>(select(power, bits, bits >= 0x7f800000u));
  let inverse = bitcast<f32>((254u << 23u) - power);
  let halves = array<vec4<f16>, 8>(
    halved(x[0], inverse), halved(x[1], inverse), halved(x[2], inverse), halved(x[3], inverse),
    halved(x[4], inverse), halved(x[5], inverse), halved(x[6], inverse), halved(x[7], inverse),
  );
  let sums = ((vec4<f32>(halves[0]) + vec4<f32>(halves[1])) + (vec4<f32>(halves[2]) + vec4<f32>(halves[3])))
    + ((vec4<f32>(halves[4]) + vec4<f32>(halves[5])) + (vec4<f32>(halves[6]) + vec4<f32>(halves[7])));
  return Staged(halves, scale, scale * ((sums.x + sums.y) + (sums.z + sums.w)));
}

fn halved(x: vec4<f32>, inverse: f32) -> vec4<f16> {
  return vec4<f16>(clamp(x * inverse, vec4<f32>(-2.0), vec4<f32>(2.0)).xzyw);
}

fn addDot(total: f32, group: Group, x: Staged) -> f32 {
  let low = fma(group.raw[3], x.halves[3], fma(group.raw[2], x.halves[2], fma(group.raw[1], x.halves[1], group.raw[0] * x.halves[0])));
  let high = fma(group.raw[7], x.halves[7], fma(group.raw[6], x.halves[6], fma(group.raw[5], x.halves[5], group.raw[4] * x.halves[4])));
  let both = fma(vec4<f32>(high), vec4<f32>(group.scales.y), vec4<f32>(low) * group.scales.x);
  let product = fma((both.x + both.y) + (both.z + both.w), x.scale, total);
  if (HAS_OFFSET) {
    return fma(group.offset, x.sum, product);
  }
  return product;
}
