// The median that measurements are summed up by.
import { expect, test } from "vitest";
import { median } from "../../src/base/median.ts";

test("the median of an even count lies between the middle two", () => {
  expect(median([5, 1, 3])).toBe(3);
  expect(median([4, 1, 2, 9])).toBe(3);
});
