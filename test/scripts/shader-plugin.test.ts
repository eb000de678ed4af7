// What the build leaves of shaders.
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { bareShader } from "../../scripts/shader-plugin.ts";

test("comments, blank lines and indentation go, and nothing else", () => {
  const text = "\n// Adds.\nfn add(a: f32,\n    b: f32) -> f32 { // both\n\n  return a +\n    b / 2.0;\n}\n";
  expect(bareShader(text)).toBe("\nfn add(a: f32,\nb: f32) -> f32 {\nreturn a +\nb / 2.0;\n}\n");
});

test("no shader has what would be taken for a comment, or a comment that would stay", () => {
  const shaders = ["kernels", "quant"].flatMap((folder) => {
    const url = new URL(`../../src/${folder}/`, import.meta.url);
    const names = readdirSync(url).filter((name) => name.endsWith(".wgsl"));
    return names.map((name) => [name, readFileSync(new URL(name, url), "utf8")] as const);
  });
  expect(shaders.length).toBeGreaterThan(40);
  for (const [name, text] of shaders) {
    expect(text, name).not.toMatch(/\/\*|"/);
    expect(bareShader(text), name).not.toContain("//");
  }
});
