
// Arithmetic in signed bytes, of mat-vec's kernels and mat-mul's: a group of x is rounded to 127 steps of its largest number, products
// with the bytes of the weights are exact integers, and sums over groups are f32. How x comes here: mat-vec-staged.wgsl, or
// mat-mul-staged-int8.wgsl. largest.wgsl is put beside it.

struct Staged {
  low: vec4<u32>,
  high: vec4<u32>,
  scale: f32,
  // Of x as it was rounded: an offset of the weights then adds nothing to the error.
  sum: f32,
}

fn stagedOf(x: array<vec4<f32>, 8>) -> Staged {
  let largest = largestOf(x);
  // Below this a group is zero: its scale has no inverse.
  let inverse = select(127.0 / largest, 0.0, largest < 0x1p-100);
  let low = vec4<u32>(packed(x[0], inverse), packed(x[1], inverse), packed(x[2], inverse), packed(x[3], inverse));
  let high = vec4<u32>(packed(x[4], inverse), packed(x[5], inverse), packed(x[6], inverse), packed(x[7], inverse));
  let ones = vec4<u32>(0x01010101u);
  let scale = largest * (1.0 / 127.0);
  return Staged(low, high, scale, scale * f32(dotBytes(low, ones) + dotBytes(high, ones)));
}

fn packed(x: vec4<f32>, inverse: f32) -> u32 {
  return pack4xI8(vec4<i32>(round(x * inverse)));
}

fn dotBytes(a: vec4<u32>, b: vec4<u32>) -> i32 {
  return dot4I8Packed(a.x, b.x) + dot4I8Packed(a.y, b.y) + dot4I8Packed(a.z, b.z) + dot4I8Packed(a.w, b.w);
}

fn addDot(total: f32, group: Group, x: Staged) -> f32 {
  let low = f32(dotBytes(group.low, x.low)) * group.scales.x;
  let product = fma(fma(f32(dotBytes(group.high, x.high)), group.scales.y, low), x.scale, total);
  if (HAS_OFFSET) {
    return fma(group.offset, x.sum, product);
  }
  return product;
}
