
// Q8_0: two vectors of signed bytes a group; the extra holds d of two groups.
const GROUPS_PER_UNIT = 2u;
const QUANT_VECTORS = 4u;
const EXTRA_WORDS = 1u;
const HAS_OFFSET = false;
const RAW_SCALE = BYTE_SCALE;

fn loadGroup(unit: u32, lane: u32, group: u32) -> Group {
  let low = vectorOf(unit, lane, 2u * group);
  let high = vectorOf(unit, lane, 2u * group + 1u);
  return groupOfSignedBytes(low, high, halfOf(extraOf(unit, lane, 0u), group));
}
