import { expect, test } from "vitest";
import { createEstimate } from "../../src/base/estimate.ts";

test("the first measurement is taken as it is, and later ones draw it towards them", () => {
  const estimate = createEstimate(0.25);
  expect(estimate.value).toBeUndefined();
  const values = [8, 12, 9].map((measured) => {
    estimate.saw(measured);
    return estimate.value;
  });
  expect(values).toEqual([8, 9, 9]);
});
