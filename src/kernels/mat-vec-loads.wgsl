// Group i of a row of x, which starts at vector `first` and has `quads`. Past its end the weights are zero, so that any finite
// number will do.
fn loadX(first: u32, quads: u32, i: u32, lane: u32) -> array<vec4<f32>, 8> {
  let at = first + i * 8u;
  let last = first + quads - 1u;
  return array<vec4<f32>, 8>(
    input[at], input[min(at + 1u, last)], input[min(at + 2u, last)], input[min(at + 3u, last)],
    input[min(at + 4u, last)], input[min(at + 5u, last)], input[min(at + 6u, last)], input[min(at + 7u, last)],
  );
}

const ROLLED = false;
