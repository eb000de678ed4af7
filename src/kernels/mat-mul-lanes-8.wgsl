// The inside of mat-mul-broadcast.wgsl for subgroups of 8: a lane owns 4 rows of a tile, and loads one vector of each group of x.
// x is a texture, since lavapipe loads from one at a third of the price: see rows-to-texture.wgsl.
const LANES = 8u;
const PRODUCTS = 8u;

@group(0) @binding(0) var input: texture_storage_2d<rgba32float, read>;

fn inputAt(index: u32) -> vec4<f32> {
  return textureLoad(input, vec2<u32>(index % TEXTURE_WIDTH, index / TEXTURE_WIDTH));
}

const TEXTURE_WIDTH = 2048u;

// In the order of the vectors of a group, so that a value from another lane is used at once: kept, all of them would be spilled.
fn groupProducts(unit: u32, group: u32, lane: u32, x: RowStarts, i: u32) -> Products {
  let low = loadVectors(x.low, i, lane);
  let high = loadVectors(x.high, i, lane);
  let w0 = loadWeights(unit, lane, group);
  let w1 = loadWeights(unit, lane + 8u, group);
  let w2 = loadWeights(unit, lane + 16u, group);
  let w3 = loadWeights(unit, lane + 24u, group);
  let p0 = addVector(Products(), array<vec4<f32>, 4>(w0[0], w1[0], w2[0], w3[0]), fromLane0(low), fromLane0(high));
  let p1 = addVector(p0, array<vec4<f32>, 4>(w0[1], w1[1], w2[1], w3[1]), fromLane1(low), fromLane1(high));
  let p2 = addVector(p1, array<vec4<f32>, 4>(w0[2], w1[2], w2[2], w3[2]), fromLane2(low), fromLane2(high));
  let p3 = addVector(p2, array<vec4<f32>, 4>(w0[3], w1[3], w2[3], w3[3]), fromLane3(low), fromLane3(high));
  let p4 = addVector(p3, array<vec4<f32>, 4>(w0[4], w1[4], w2[4], w3[4]), fromLane4(low), fromLane4(high));
  let p5 = addVector(p4, array<vec4<f32>, 4>(w0[5], w1[5], w2[5], w3[5]), fromLane5(low), fromLane5(high));
  let p6 = addVector(p5, array<vec4<f32>, 4>(w0[6], w1[6], w2[6], w3[6]), fromLane6(low), fromLane6(high));
  return addVector(p6, array<vec4<f32>, 4>(w0[7], w1[7], w2[7], w3[7]), fromLane7(low), fromLane7(high));
}

fn addProducts(a: Products, b: Products) -> Products {
  return Products(
    a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3],
    a[4] + b[4], a[5] + b[5], a[6] + b[6], a[7] + b[7],
  );
}

fn addVector(p: Products, w: array<vec4<f32>, 4>, low: Quad, high: Quad) -> Products {
  return Products(
    fold(p[0], w[0], low), fold(p[1], w[0], high),
    fold(p[2], w[1], low), fold(p[3], w[1], high),
    fold(p[4], w[2], low), fold(p[5], w[2], high),
    fold(p[6], w[3], low), fold(p[7], w[3], high),
  );
}
