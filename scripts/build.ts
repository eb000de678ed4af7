// Builds the library (page entry, workers, types) into dist/, and the demo into dist/demo.
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { build, type InlineConfig } from "vite";
import { CommandError } from "./command-error.ts";
import { PROJECT_ROOT } from "./default-model.ts";

const configFile = join(PROJECT_ROOT, "vite.config.ts");

export async function main(args: string[]): Promise<void> {
  const [part] = args;
  if (part !== undefined && part !== "library" && part !== "demo") {
    throw new CommandError(`builds "library" or "demo", or both when none is named; not "${part}"`);
  }
  if (part !== "demo") {
    await buildLibrary();
    emitTypes();
  }
  if (part !== "library") await buildDemo();
}

/** @param outDir default: dist/ */
export async function buildLibrary(outDir?: string): Promise<void> {
  await buildForVisitors({ configFile, logLevel: "warn", ...(outDir !== undefined && { build: { outDir } }) });
}

/** @param outDir default: dist/demo */
export async function buildDemo(outDir?: string): Promise<void> {
  await buildForVisitors({
    configFile,
    mode: "demo",
    logLevel: "warn",
    ...(outDir !== undefined && { build: { outDir } }),
  });
}

/** Packages' production builds, whatever runs this: Vite's dev server and vitest leave another NODE_ENV behind. */
export async function buildForVisitors(config: InlineConfig): Promise<void> {
  const before = process.env["NODE_ENV"];
  process.env["NODE_ENV"] = "production";
  try {
    await build(config);
  } finally {
    if (before === undefined) delete process.env["NODE_ENV"];
    else process.env["NODE_ENV"] = before;
  }
}

/** Path of TypeScript's command, as its package declares it. */
export function typeScriptCommand(): string {
  const require = createRequire(import.meta.url);
  const manifest = require.resolve("typescript/package.json");
  return join(dirname(manifest), require(manifest).bin.tsc);
}

function emitTypes(): void {
  const args = [typeScriptCommand(), "-p", "tsconfig.build.json"];
  const done = spawnSync(process.execPath, args, { cwd: PROJECT_ROOT, stdio: ["ignore", "inherit", "inherit"] });
  if (done.status !== 0) throw new CommandError("the types did not build");
}
