// The key under which choices are kept: another adapter, browser or limit is another key.
import { expect, test } from "vitest";
import type { Precision } from "../../../src/kernels/precision.ts";
import { browserOf, tuningKey } from "../../../src/runtime/tuning/tuning-key.ts";

const DEVICE = {
  adapter: {
    vendor: "acme",
    architecture: "road-runner",
    device: "0x1",
    description: "Acme 3000",
    isFallback: false,
    subgroupSize: 32,
    shaderF16: true,
    packedDot: true,
    readableTextures: true,
  },
  features: new Set(["shader-f16", "subgroups"]),
  maxBindingBytes: 2 ** 31,
  gpu: { limits: { maxBufferSize: 2 ** 32 } },
};
const { adapter } = DEVICE;

function keyOf(device: typeof DEVICE, platform = "Chrome/156", precision?: Precision): Promise<string> {
  return tuningKey(device, { ...device.adapter, precision }, platform);
}

test("the same facts give the same key, in whatever order features come", async () => {
  const key = await keyOf(DEVICE);
  expect(key).toMatch(/^[0-9a-f]{64}$/);
  expect(await keyOf({ ...DEVICE, features: new Set(["subgroups", "shader-f16"]) })).toBe(key);
});

test.each<[string, Partial<typeof DEVICE>]>([
  ["vendor", { adapter: { ...adapter, vendor: "other" } }],
  ["architecture", { adapter: { ...adapter, architecture: "coyote" } }],
  ["device", { adapter: { ...adapter, device: "0x2" } }],
  ["driver's description", { adapter: { ...adapter, description: "Acme 3001" } }],
  ["size of subgroups", { adapter: { ...adapter, subgroupSize: 8 } }],
  ["feature", { features: new Set(["subgroups"]) }],
  ["set of instructions", { adapter: { ...adapter, packedDot: false } }],
  ["limit of bindings", { maxBindingBytes: 2 ** 27 }],
  ["limit of buffers", { gpu: { limits: { maxBufferSize: 2 ** 28 } } }],
])("another %s, another key", async (_, change) => {
  expect(await keyOf({ ...DEVICE, ...change })).not.toBe(await keyOf(DEVICE));
});

test("so is another precision: its variants are others", async () => {
  expect(await keyOf(DEVICE, "Chrome/156", "fast")).not.toBe(await keyOf(DEVICE, "Chrome/156", "exact"));
});

test("so is another major version of the browser", async () => {
  expect(await keyOf(DEVICE, "Chrome/157")).not.toBe(await keyOf(DEVICE));
});

test.each([
  [
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.8078.79 Safari/537.36",
    "Chrome/156",
  ],
  ["Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "Firefox/145"],
  [
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 Safari/605.1.15",
    "Version/26",
  ],
  ["something else", "something else"],
])("%s", (userAgent, browser) => {
  expect(browserOf(userAgent)).toBe(browser);
});
