// What the build leaves of shaders.
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { bareShader } from "../../scripts/shader-plugin.ts";

test("comments and the white space that nobody needs go, and nothing else", () => {
  const text = "\n// Adds.\nfn add(a: f32,\n    b: f32) -> f32 { // both\n\n  return a +\n    b / 2.0;\n}\n";
  expect(bareShader(text)).toBe("\nfn add(a:f32,b:f32)-> f32{return a +\nb / 2.0;}");
});

test("no shader has what would be taken for a comment, or a comment that would stay, and none has other tokens after", () => {
  const shaders = ["kernels", "quant"].flatMap((folder) => {
    const url = new URL(`../../src/${folder}/`, import.meta.url);
    const names = readdirSync(url).filter((name) => name.endsWith(".wgsl"));
    return names.map((name) => [name, readFileSync(new URL(name, url), "utf8")] as const);
  });
  expect(shaders.length).toBeGreaterThan(40);
  for (const [name, text] of shaders) {
    expect(text, name).not.toMatch(/\/\*|"/);
    expect(bareShader(text), name).not.toContain("//");
    expect(tokensOf(bareShader(text)), name).toEqual(tokensOf(text.replace(/\/\/.*/g, "")));
  }
});

/** Signs that may stand together as one are taken together. */
function tokensOf(text: string): readonly string[] {
  return text.match(/[A-Za-z_]\w*|[\d.]\w*|[-+*/%&|^<>=!]+|\S/g) ?? [];
}
