// The inside of mat-mul-broadcast.wgsl for subgroups of 4: a lane owns 8 rows of a tile, and loads two vectors of each group of x.
const LANES = 4u;
const PRODUCTS = 16u;

@group(0) @binding(0) var<storage, read> input: array<vec4<f32>>;

fn inputAt(index: u32) -> vec4<f32> {
  return input[index];
}

// In the order of the vectors of a group, so that a value from another lane is used at once: kept, all of them would be spilled.
fn groupProducts(unit: u32, group: u32, lane: u32, x: RowStarts, i: u32) -> Products {
  let lowNear = loadVectors(x.low, i, lane);
  let highNear = loadVectors(x.high, i, lane);
  let lowFar = loadVectors(x.low, i, lane + 4u);
  let highFar = loadVectors(x.high, i, lane + 4u);
  let w0 = loadWeights(unit, lane, group);
  let w1 = loadWeights(unit, lane + 4u, group);
  let w2 = loadWeights(unit, lane + 8u, group);
  let w3 = loadWeights(unit, lane + 12u, group);
  let w4 = loadWeights(unit, lane + 16u, group);
  let w5 = loadWeights(unit, lane + 20u, group);
  let w6 = loadWeights(unit, lane + 24u, group);
  let w7 = loadWeights(unit, lane + 28u, group);
  let p0 = addVector(Products(), array<vec4<f32>, 8>(w0[0], w1[0], w2[0], w3[0], w4[0], w5[0], w6[0], w7[0]), fromLane0(lowNear), fromLane0(highNear));
  let p1 = addVector(p0, array<vec4<f32>, 8>(w0[1], w1[1], w2[1], w3[1], w4[1], w5[1], w6[1], w7[1]), fromLane1(lowNear), fromLane1(highNear));
  let p2 = addVector(p1, array<vec4<f32>, 8>(w0[2], w1[2], w2[2], w3[2], w4[2], w5[2], w6[2], w7[2]), fromLane2(lowNear), fromLane2(highNear));
  let p3 = addVector(p2, array<vec4<f32>, 8>(w0[3], w1[3], w2[3], w3[3], w4[3], w5[3], w6[3], w7[3]), fromLane3(lowNear), fromLane3(highNear));
  let p4 = addVector(p3, array<vec4<f32>, 8>(w0[4], w1[4], w2[4], w3[4], w4[4], w5[4], w6[4], w7[4]), fromLane0(lowFar), fromLane0(highFar));
  let p5 = addVector(p4, array<vec4<f32>, 8>(w0[5], w1[5], w2[5], w3[5], w4[5], w5[5], w6[5], w7[5]), fromLane1(lowFar), fromLane1(highFar));
  let p6 = addVector(p5, array<vec4<f32>, 8>(w0[6], w1[6], w2[6], w3[6], w4[6], w5[6], w6[6], w7[6]), fromLane2(lowFar), fromLane2(highFar));
  return addVector(p6, array<vec4<f32>, 8>(w0[7], w1[7], w2[7], w3[7], w4[7], w5[7], w6[7], w7[7]), fromLane3(lowFar), fromLane3(highFar));
}

fn addProducts(a: Products, b: Products) -> Products {
  return Products(
    a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3],
    a[4] + b[4], a[5] + b[5], a[6] + b[6], a[7] + b[7],
    a[8] + b[8], a[9] + b[9], a[10] + b[10], a[11] + b[11],
    a[12] + b[12], a[13] + b[13], a[14] + b[14], a[15] + b[15],
  );
}

fn addVector(p: Products, w: array<vec4<f32>, 8>, low: Quad, high: Quad) -> Products {
  return Products(
    fold(p[0], w[0], low), fold(p[1], w[0], high),
    fold(p[2], w[1], low), fold(p[3], w[1], high),
    fold(p[4], w[2], low), fold(p[5], w[2], high),
    fold(p[6], w[3], low), fold(p[7], w[3], high),
    fold(p[8], w[4], low), fold(p[9], w[4], high),
    fold(p[10], w[5], low), fold(p[11], w[5], high),
    fold(p[12], w[6], low), fold(p[13], w[6], high),
    fold(p[14], w[7], low), fold(p[15], w[7], high),
  );
}
