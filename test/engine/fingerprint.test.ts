// The fingerprint changes when anything does that it stands for, and at nothing else.
import { expect, test } from "vitest";
import { type FingerprintParts, fingerprintOf } from "../../src/engine/fingerprint.ts";

const PARTS: FingerprintParts = {
  build: "0.1.0",
  weights: "b179c9523d0e6a0f",
  template: "{{ messages }}",
  features: ["shader-f16", "subgroups"],
  runtime: {
    adapter: "vendor/architecture/device",
    kernels: "2f1c",
    variants: "mat-vec Q4_1 64 x 64: 8 x 8",
    kv: "f16",
  },
};

test("the same parts give the same print, in whatever order they come", async () => {
  const print = await fingerprintOf(PARTS);
  expect(print).toMatch(/^fp_[0-9a-f]{12}$/);
  expect(await fingerprintOf(structuredClone(PARTS))).toBe(print);
  const { adapter, kernels, variants, kv } = PARTS.runtime;
  const shuffled = {
    runtime: { kv: kv!, variants: variants!, kernels: kernels!, adapter: adapter! },
    features: ["subgroups", "shader-f16"],
  };
  const { build, weights, template } = PARTS;
  expect(await fingerprintOf({ ...shuffled, template, weights, build })).toBe(print);
});

test.each<[string, Partial<FingerprintParts>]>([
  ["the build", { build: "0.1.1" }],
  ["a byte of the weights", { weights: "b179c9523d0e6a0e" }],
  ["the template", { template: "{{ messages}}" }],
  ["a feature more", { features: [...PARTS.features, "timestamp-query"] }],
  ["a feature less", { features: ["subgroups"] }],
  ["the device", { runtime: { ...PARTS.runtime, adapter: "vendor/architecture/other" } }],
  ["a kernel or its variant", { runtime: { ...PARTS.runtime, kernels: "2f1d" } }],
  ["the variant of a class", { runtime: { ...PARTS.runtime, variants: "mat-vec Q4_1 64 x 64: 8 x 4" } }],
  ["the format of keys and values", { runtime: { ...PARTS.runtime, kv: "q8_0" } }],
  ["a part that is new", { runtime: { ...PARTS.runtime, precision: "fast" } }],
])("%s changes it", async (_, change) => {
  expect(await fingerprintOf({ ...PARTS, ...change })).not.toBe(await fingerprintOf(PARTS));
});

test("parts cannot stand in for one another", async () => {
  const swapped = { ...PARTS, build: PARTS.weights, weights: PARTS.build };
  expect(await fingerprintOf(swapped)).not.toBe(await fingerprintOf(PARTS));
});
