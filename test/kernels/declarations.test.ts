// Every kernel's declaration against the text of its .wgsl: names, order, types and accesses are written twice, so they are compared.
import { readdirSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { expect, test } from "vitest";
import type { Access, Kernel } from "../../src/gpu/kernel.ts";
import { defineKernel, foldGrid, MAX_WORKGROUPS, type PrepareOptions, packParams } from "../../src/gpu/kernel.ts";
import { gatedActivation } from "../../src/kernels/gated-activation.ts";

const folder = new URL("../../src/kernels/", import.meta.url);
const modules = import.meta.glob<Record<string, unknown>>("../../src/kernels/*.ts", { eager: true });
const kernels = new Map<string, Kernel>();
for (const exports of Object.values(modules)) {
  for (const value of Object.values(exports)) if (isKernel(value)) kernels.set(value.name, value);
}
const shaders = new Map(
  readdirSync(folder)
    .filter((file) => file.endsWith(".wgsl"))
    .map((file) => [basename(file, ".wgsl"), readFileSync(new URL(file, folder), "utf8")] as const),
);

/** By the address space of buffers and the type of textures. */
const ACCESSES: Readonly<Record<string, Access>> = {
  uniform: "uniform",
  "storage, read": "read",
  "storage, read_write": "read_write",
  "texture_storage_2d<rgba32float, read>": "texture_read",
  "texture_storage_2d<rgba32float, write>": "texture_write",
};

function isKernel(value: unknown): value is Kernel {
  return typeof value === "object" && value !== null && "source" in value && "bindings" in value && "grid" in value;
}

test("every shader with an entry point has declarations of its name, perhaps with a number of lanes, whose source begins with it", () => {
  const withEntry = [...shaders].filter(([, text]) => text.includes("fn main(")).map(([name]) => name);
  const shaderOf = (name: string) => name.replace(/-\d+$/, "");
  expect([...new Set([...kernels.keys()].map(shaderOf))].sort()).toEqual(withEntry.sort());
  expect(kernels.size).toBeGreaterThanOrEqual(6);
  for (const [name, { source }] of kernels) expect(source.startsWith(shaders.get(shaderOf(name))!), name).toBe(true);
});

for (const [name, kernel] of kernels) {
  const text = kernel.source.replaceAll(/\/\/[^\n]*/g, "");

  test(`${name} binds what it declares, by number, with Params last`, () => {
    const found = [...text.matchAll(/@group\((\d)\)\s*@binding\((\d+)\)\s*var(?:<([^>]*)>)?\s*(\w+)\s*:\s*([^;]+);/g)];
    found.sort((a, b) => Number(a[2]) - Number(b[2]));
    expect(found.map(([, group, binding]) => [group, Number(binding)])).toEqual(found.map((_, index) => ["0", index]));
    const bound = found.map(([, , , space, variable, type]) => [variable, ACCESSES[space ?? type!.trim()]]);
    const params = Object.keys(kernel.params).length > 0 ? [["params", "uniform"]] : [];
    expect(bound).toEqual([...Object.entries(kernel.bindings), ...params]);
    // What WebGPU promises on every adapter.
    const counted = (ofTextures: boolean) =>
      bound.filter(([, access]) => access !== "uniform" && access!.startsWith("texture") === ofTextures).length;
    expect(counted(false)).toBeLessThanOrEqual(8);
    expect(counted(true)).toBeLessThanOrEqual(4);
    if (params.length > 0) expect(found.at(-1)![5]!.trim()).toBe("Params");
  });

  test(`${name} has the params that it declares, in order`, () => {
    const struct = /struct Params\s*\{([^}]*)\}/.exec(text)?.[1] ?? "";
    const fields = [...struct.matchAll(/(\w+)\s*:\s*(\w+)/g)].map(([, field, type]) => [field, type]);
    expect(fields).toEqual(Object.entries(kernel.params));
  });

  test(`${name} has the overrides that it declares`, () => {
    const overrides = [...text.matchAll(/\boverride\s+(\w+)\s*:\s*(\w+)/g)].map(([, key, type]) => [key!, type!]);
    expect(Object.fromEntries(overrides)).toEqual(kernel.overrides);
  });

  test(`${name} has one entry point of a size that every adapter runs`, () => {
    const entries = [...text.matchAll(/@compute\s+@workgroup_size\(([^)]*)\)\s*fn\s+(\w+)/g)];
    expect(entries.map(([, , entry]) => entry)).toEqual(["main"]);
    const sizes = entries[0]![1]!.split(",").map((size) => size.trim());
    const known = sizes.filter((size) => /^\d+u?$/.test(size)).map((size) => Number.parseInt(size, 10));
    expect(known.reduce((product, size) => product * size, 1)).toBeLessThanOrEqual(256);
  });
}

test("grids over 65,535 are folded into z, and cover all", () => {
  expect(foldGrid([7])).toEqual([7, 1, 1]);
  expect(foldGrid([7, 8, 9])).toEqual([7, 8, 9]);
  expect(foldGrid([MAX_WORKGROUPS, 3])).toEqual([MAX_WORKGROUPS, 3, 1]);
  for (const count of [MAX_WORKGROUPS + 1, 200_000, 1_000_003]) {
    const [x, y, z] = foldGrid([count, 5]);
    expect(x).toBeLessThanOrEqual(MAX_WORKGROUPS);
    expect(y).toBe(5);
    expect(x * z!).toBeGreaterThanOrEqual(count);
    expect(x * z! - count).toBeLessThan(z!);
  }
  expect(() => foldGrid([1, MAX_WORKGROUPS + 1])).toThrow("cannot be folded");
  expect(() => foldGrid([MAX_WORKGROUPS + 1, 1, 2])).toThrow("cannot be folded");
});

test("params are packed in order, and a number that does not fit its type is a bug", () => {
  const types = { count: "u32", shift: "i32", scale: "f32" } as const;
  const bytes = packParams(types, { count: 0xffff_ffff, shift: -2, scale: 0.5 });
  expect(bytes.byteLength).toBe(16);
  expect([...new Uint32Array(bytes)]).toEqual([0xffff_ffff, 0xffff_fffe, 0x3f00_0000, 0]);
  expect(() => packParams(types, { count: -1, shift: 0, scale: 0 })).toThrow("count");
  expect(() => packParams(types, { count: 0.5, shift: 0, scale: 0 })).toThrow("count");
});

test("a missing or misspelt buffer, param or override does not compile", () => {
  type Options =
    typeof gatedActivation extends Kernel<infer B, infer P, infer O, infer _> ? PrepareOptions<B, P, O> : never;
  const buffer = {} as GPUBuffer;
  const buffers = { input: { buffer }, output: { buffer } };
  const whole: Options = { label: "", buffers, params: { width: 1 }, overrides: { ACTIVATION: 0 } };
  // @ts-expect-error the output buffer is missing
  const noBuffer: Options = { ...whole, buffers: { input: { buffer } } };
  // @ts-expect-error the width is missing
  const noParam: Options = { ...whole, params: {} };
  // @ts-expect-error the override is missing
  const noOverride: Options = { ...whole, overrides: {} };
  // @ts-expect-error there is no such param
  const misspelt: Options = { ...whole, params: { width: 1, widht: 1 } };
  // @ts-expect-error an override of type bool is no number
  const flag: PrepareOptions<never, never, { FLAG: "bool" }>["overrides"] = { FLAG: 1 };
  const sized = defineKernel({ ...gatedActivation, name: "sized", grid: (count: number) => [count] });
  // @ts-expect-error the size is a number
  const badSize: Parameters<typeof sized.grid>[0] = { rows: 1 };
  expect([noBuffer, noParam, noOverride, misspelt, flag, badSize]).toHaveLength(6);
});
