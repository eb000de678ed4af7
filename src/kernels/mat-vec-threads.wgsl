
// How the mat-vec kernels deal out a tile of 32 rows of a matrix, appended to each.

// Rows of x that a workgroup takes: 1 or 4.
override ROWS: u32;
// Threads that share a tile's rows, 32 / LANES to each: 8, 16 or 32. A lane owns rows lane, lane + LANES, ...
override LANES: u32;
// In how many slices the groups of the columns are dealt out, each to LANES threads of their own.
override SLICES: u32;

// Where the rows of x start that a workgroup takes. Rows beyond the last repeat it, and are not written.
fn rowsFrom(row: u32, count: u32) -> vec4<u32> {
  return min(vec4<u32>(row, row + 1u, row + 2u, row + 3u), vec4<u32>(count - 1u));
}
