// Shaders as they are shipped: without comments and most white space, 10 kB gzip that a visitor need not download.
import { readFile } from "node:fs/promises";
import type { Plugin } from "vite";

const SUFFIX = ".wgsl?raw";

export function shaders(): Plugin {
  return {
    name: "shaders",
    enforce: "pre",
    async load(id) {
      if (!id.endsWith(SUFFIX)) return undefined;
      const text = await readFile(id.slice(0, -"?raw".length), "utf8");
      return `export default ${JSON.stringify(bareShader(text))};`;
    },
  };
}

/**
 * WGSL has no strings, so that two slashes are always a comment; block comments are not used here. Signs that could become
 * another one with what stands next to them, as > and = do, keep their spaces.
 */
export function bareShader(text: string): string {
  return text
    .replace(/\/\/[^\n]*/g, "")
    .replace(/\s*\n\s*/g, "\n")
    .replace(/\s*([{}(),;:*])\s*/g, "$1");
}
