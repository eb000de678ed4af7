// As in mat-vec-loads.wgsl, for subgroups of 8: each lane loads an eighth of the group and hands it to the others, since a
// CPU adapter pays far more for a load than for a broadcast.
fn loadX(first: u32, quads: u32, i: u32, lane: u32) -> array<vec4<f32>, 8> {
  let own = input[first + min(i * 8u + lane, quads - 1u)];
  return array<vec4<f32>, 8>(
    subgroupBroadcast(own, 0u), subgroupBroadcast(own, 1u), subgroupBroadcast(own, 2u), subgroupBroadcast(own, 3u),
    subgroupBroadcast(own, 4u), subgroupBroadcast(own, 5u), subgroupBroadcast(own, 6u), subgroupBroadcast(own, 7u),
  );
}

// Sums of one group are added in a loop over the lane's 4 rows: see mat-vec-threads.wgsl. With 8 lanes.
const ROLLED = true;
