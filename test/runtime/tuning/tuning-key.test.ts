// The key under which choices are kept: another adapter, browser or limit is another key.
import { expect, test } from "vitest";
import { browserOf, tuningKey } from "../../../src/runtime/tuning/tuning-key.ts";

const DEVICE = {
  adapter: {
    vendor: "acme",
    architecture: "road-runner",
    device: "0x1",
    description: "Acme 3000",
    isFallback: false,
    subgroupSize: 32,
  },
  features: new Set(["shader-f16", "subgroups"]),
  maxBindingBytes: 2 ** 31,
  gpu: { limits: { maxBufferSize: 2 ** 32 } },
};
const { adapter } = DEVICE;

test("the same facts give the same key, in whatever order features come", async () => {
  const key = await tuningKey(DEVICE, "Chrome/156");
  expect(key).toMatch(/^[0-9a-f]{64}$/);
  expect(await tuningKey({ ...DEVICE, features: new Set(["subgroups", "shader-f16"]) }, "Chrome/156")).toBe(key);
});

test.each<[string, Partial<typeof DEVICE>]>([
  ["vendor", { adapter: { ...adapter, vendor: "other" } }],
  ["architecture", { adapter: { ...adapter, architecture: "coyote" } }],
  ["device", { adapter: { ...adapter, device: "0x2" } }],
  ["driver's description", { adapter: { ...adapter, description: "Acme 3001" } }],
  ["size of subgroups", { adapter: { ...adapter, subgroupSize: 8 } }],
  ["feature", { features: new Set(["subgroups"]) }],
  ["limit of bindings", { maxBindingBytes: 2 ** 27 }],
  ["limit of buffers", { gpu: { limits: { maxBufferSize: 2 ** 28 } } }],
])("another %s, another key", async (_, change) => {
  expect(await tuningKey({ ...DEVICE, ...change }, "Chrome/156")).not.toBe(await tuningKey(DEVICE, "Chrome/156"));
});

test("so is another major version of the browser", async () => {
  expect(await tuningKey(DEVICE, "Chrome/157")).not.toBe(await tuningKey(DEVICE, "Chrome/156"));
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
