// Four signed bytes of a word as floats where they stand: 1, 2^8, 2^16 and 2^24 times their numbers. The lower three have their
// sign flipped and the bias of 128 taken off again; the top one is signed as it stands.
fn floatsOfSignedBytes(word: u32) -> vec4<f32> {
  let bytes = vec4<u32>(word ^ 0x00808080u) & vec4<u32>(0xffu, 0xff00u, 0xff0000u, 0xff000000u);
  return vec4<f32>(bitcast<vec4<i32>>(bytes) - vec4<i32>(0x80, 0x8000, 0x800000, 0));
}
