// As in mat-vec-broadcast-8.wgsl, for subgroups of 4: each lane loads a quarter of the group. A quad is the whole subgroup and
// workgroup here, and its broadcast the cheaper one.
fn loadX(first: u32, quads: u32, i: u32, lane: u32) -> array<vec4<f32>, 8> {
  let at = i * 8u + lane;
  let low = input[first + min(at, quads - 1u)];
  let high = input[first + min(at + 4u, quads - 1u)];
  return array<vec4<f32>, 8>(
    quadBroadcast(low, 0u), quadBroadcast(low, 1u), quadBroadcast(low, 2u), quadBroadcast(low, 3u),
    quadBroadcast(high, 0u), quadBroadcast(high, 1u), quadBroadcast(high, 2u), quadBroadcast(high, 3u),
  );
}

const ROLLED = false;
