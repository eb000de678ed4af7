// As in mat-vec-broadcast-8.wgsl, for subgroups of 4: each lane loads a quarter of the group.
fn loadX(first: u32, quads: u32, i: u32, lane: u32) -> array<vec4<f32>, 8> {
  let at = i * 8u + lane % 4u;
  let low = input[first + min(at, quads - 1u)];
  let high = input[first + min(at + 4u, quads - 1u)];
  return array<vec4<f32>, 8>(
    subgroupBroadcast(low, 0u), subgroupBroadcast(low, 1u), subgroupBroadcast(low, 2u), subgroupBroadcast(low, 3u),
    subgroupBroadcast(high, 0u), subgroupBroadcast(high, 1u), subgroupBroadcast(high, 2u), subgroupBroadcast(high, 3u),
  );
}

// Sums of one group are added in a loop over the lane's 4 rows: see mat-vec-threads.wgsl. With 8 lanes.
const ROLLED = true;
