// Nothing imports upwards: the order of DESIGN.md 3, held by reading every import in the tree.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { expect, test } from "vitest";

const ORDER = [
  "base", "storage", "gguf", "tokenizer", "sampling", "grammar", "api", "chat", "gpu", "quant", "kernels", "model",
  "runtime", "engine", "server", "transport", "client", "index", "worker", "demo",
]; // biome-ignore format: one list, read as a line
const LANGUAGE = ["tokenizer", "sampling", "grammar", "api", "chat"];
const TENSORS = ["gpu", "quant", "kernels", "model"];
const root = new URL("..", import.meta.url).pathname;

const sources = ["src", "worker", "demo"].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .map((file) => join(folder, file)),
);

/** The layer of a file: its folder under src, the file's own name beside them, or worker and demo. */
function layerOf(path: string): string {
  const [top, second] = path.split("/");
  return top === "src" ? second!.replace(/\.ts$/, "") : top!;
}

function importsOf(path: string): { target: string; typeOnly: boolean }[] {
  const text = readFileSync(join(root, path), "utf8");
  const found = text.matchAll(/^\s*(?:import|export)\s+(type\s)?[^;"']*?["'](\.[^"']+)["']/gms);
  return [...found].map((match) => ({
    target: relative(root, normalize(join(root, dirname(path), match[2]!))).replace(/\?.*$/, ""),
    typeOnly: match[1] !== undefined,
  }));
}

test("every layer is in the order", () => {
  expect([...new Set(sources.map(layerOf))].filter((layer) => !ORDER.includes(layer))).toEqual([]);
});

test("no file imports a higher layer", () => {
  const upward = sources.flatMap((path) =>
    importsOf(path)
      .filter(({ target }) => ORDER.indexOf(layerOf(target)) > ORDER.indexOf(layerOf(path)))
      .map(({ target }) => `${path} -> ${target}`),
  );
  expect(upward).toEqual([]);
});

test("the language stem and the tensor stem do not meet below runtime", () => {
  const crossing = sources.flatMap((path) =>
    importsOf(path)
      .filter(({ target }) => {
        const [from, to] = [layerOf(path), layerOf(target)];
        const crosses =
          (LANGUAGE.includes(from) && TENSORS.includes(to)) || (TENSORS.includes(from) && LANGUAGE.includes(to));
        return crosses && !(from === "kernels" && to === "sampling");
      })
      .map(({ target }) => `${path} -> ${target}`),
  );
  expect(crossing).toEqual([]);
});

test("the page, and the server that it bundles, import types only from the engine and all below it but base", () => {
  const heavy = sources
    .filter((path) => ["server", "client", "index"].includes(layerOf(path)))
    .flatMap((path) =>
      importsOf(path)
        .filter(
          ({ target, typeOnly }) => !typeOnly && !["base", "server", "transport", "client"].includes(layerOf(target)),
        )
        .map(({ target }) => `${path} -> ${target}`),
    );
  expect(heavy).toEqual([]);
});
