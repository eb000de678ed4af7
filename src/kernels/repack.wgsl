// From rows as a GGUF file holds them to one plane of a matrix: quant/format.ts has the layout. A permutation of bits and some
// zeros; one thread a vector of the quants or a word of the extras, in the order of the plane.
// The format's way there is appended (quant/repack-*.wgsl): `quantWord` and `extraWord` give a word of the unit at a byte.

// The file's bytes of consecutive rows, the first of which starts a tile; before them: that tile, the rows, and of each row its
// blocks and its units.
@group(0) @binding(0) var<storage, read> source: array<u32>;
@group(0) @binding(1) var<storage, read_write> plane: array<u32>;

override EXTRAS: bool;
override BLOCK_BYTES: u32;
override UNIT_BLOCKS: u32;
// Of one row in this plane.
override UNIT_WORDS: u32;

const HEADER_BYTES = 16u;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let rows = source[1];
  let blocks = source[2];
  let units = source[3];
  // A lane has a row: of the quants four words side by side, of the extras one.
  let width = select(4u, 1u, EXTRAS);
  let vectors = UNIT_WORDS / width;
  let index = workgroup.x * 64u + thread;
  if (index >= units * vectors * 32u) {
    return;
  }
  let vector = index / 32u;
  let unit = vector / vectors;
  let word = vector % vectors * width;
  let row = workgroup.y * 32u + index % 32u;
  let first = unit * UNIT_BLOCKS;
  let present = min(blocks - first, UNIT_BLOCKS);
  let at = HEADER_BYTES + (row * blocks + first) * BLOCK_BYTES;
  let to = ((source[0] + workgroup.y) * units * vectors * 32u + index) * width;
  for (var i = 0u; i < width; i++) {
    var value = 0u;
    if (row < rows) {
      if (EXTRAS) {
        value = extraWord(at, present, word);
      } else {
        value = quantWord(at, present, word + i);
      }
    }
    plane[to + i] = value;
  }
}

// Four bytes of the source, wherever they begin.
fn wordAt(at: u32) -> u32 {
  let shift = at % 4u * 8u;
  let low = source[at / 4u];
  if (shift == 0u) {
    return low;
  }
  return (low >> shift) | (source[at / 4u + 1u] << (32u - shift));
}

// Two bytes, from an even one on.
fn halfAt(at: u32) -> u32 {
  return (source[at / 4u] >> (at % 4u * 8u)) & 0xffffu;
}

// Of 32 bytes that hold two groups, one in the low halves (shift 0) and one in the high ones (shift 4): the bytes of one, in which
// word i has weight 4 i + b in byte b, below weight 16 + 4 i + b.
fn nibblesAt(at: u32, shift: u32, i: u32) -> u32 {
  let first = (wordAt(at + 4u * i) >> shift) & 0x0f0f0f0fu;
  let second = (wordAt(at + 16u + 4u * i) >> shift) & 0x0f0f0f0fu;
  return first | (second << 4u);
}
