// Brings the engines that the bench compares with into .cache/rivals, apart from the project's own dependencies.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PROJECT_ROOT } from "../../scripts/default-model.ts";

export const RIVALS_FOLDER = join(PROJECT_ROOT, ".cache/rivals");
export const RIVALS = { wllama: "@wllama/wllama@3.8.1", "llama.cpp": "node-llama-cpp@3.22.1" } as const;
export type Rival = keyof typeof RIVALS;

const TIME_LIMIT_MS = 10 * 60_000;

/** The folder of the installed package. @throws Error with npm's reason */
export function installRival(rival: Rival): string {
  const [name, version] = splitSpecifier(RIVALS[rival]);
  const folder = join(RIVALS_FOLDER, "node_modules", name);
  const manifest = join(folder, "package.json");
  if (existsSync(manifest) && JSON.parse(readFileSync(manifest, "utf8")).version === version) return folder;
  mkdirSync(RIVALS_FOLDER, { recursive: true });
  const own = join(RIVALS_FOLDER, "package.json");
  if (!existsSync(own)) writeFileSync(own, '{ "private": true }\n');
  const args = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--save-exact", RIVALS[rival]];
  const done = spawnSync("npm", args, { cwd: RIVALS_FOLDER, encoding: "utf8", timeout: TIME_LIMIT_MS });
  if (done.status === 0 && existsSync(manifest)) return folder;
  const reason = /npm error (?!code)(.*)/.exec(done.stderr ?? "")?.[1] ?? done.error?.message;
  throw new Error(`npm could not install ${RIVALS[rival]}: ${reason ?? `exit code ${done.status}`}`);
}

function splitSpecifier(specifier: string): [name: string, version: string] {
  const at = specifier.lastIndexOf("@");
  return [specifier.slice(0, at), specifier.slice(at + 1)];
}
