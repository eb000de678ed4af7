// The few things that are asked of apt and dpkg. Nothing under /etc is changed: backports come from a folder of lists of our own.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AptList, backportsSource, hasBackports } from "./apt-backports.ts";

const LIST = "/etc/apt/sources.list";
const PARTS = "/etc/apt/sources.list.d";
const TIME_LIMIT_MS = 10 * 60_000;

/** Why apt cannot be used here, or undefined when it can. */
export function aptObstacle(): string | undefined {
  if (!commandExists("apt-get")) return "there is no apt-get here";
  if (process.getuid?.() !== 0) return "only root may run apt-get";
  return undefined;
}

export function commandExists(command: string): boolean {
  return spawnSync("sh", ["-c", `command -v ${command}`]).status === 0;
}

/** The installed version of a Debian package. */
export function installedVersion(name: string): string | undefined {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg's own format language
  const asked = spawnSync("dpkg-query", ["-W", "-f", "${db:Status-Status} ${Version}", name], { encoding: "utf8" });
  const [status, version] = (asked.stdout ?? "").split(" ");
  return asked.status === 0 && status === "installed" ? version : undefined;
}

/** The version that apt would install from its own lists. */
export function candidateVersion(name: string): string | undefined {
  const asked = spawnSync("apt-cache", ["policy", name], { encoding: "utf8", env: plainEnvironment() });
  const version = /^\s*Candidate:\s*(\S+)/m.exec(asked.stdout ?? "")?.[1];
  return version === "(none)" ? undefined : version;
}

/** True when `version` is `least` or newer, by dpkg's rules. */
export function isAtLeast(version: string, least: string): boolean {
  return spawnSync("dpkg", ["--compare-versions", version, "ge", least]).status === 0;
}

/** @returns why it failed, or undefined */
export function aptUpdate(options: readonly string[] = []): string | undefined {
  return apt(["update", ...options]);
}

/** @returns why it failed, or undefined */
export function aptInstall(names: readonly string[], options: readonly string[] = []): string | undefined {
  return apt(["install", "--yes", "--no-install-recommends", ...options, ...names]);
}

/** Installs from CODENAME-backports of the archive in use. @returns why it failed, or undefined */
export function installFromBackports(names: readonly string[]): string | undefined {
  const codename = /^VERSION_CODENAME=(\w+)/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1];
  if (codename === undefined) return "/etc/os-release names no codename";
  const target = ["--target-release", `${codename}-backports`];
  const lists = readLists();
  if (hasBackports(lists, codename)) return aptInstall(names, target);
  const source = backportsSource(lists, codename);
  if (source === undefined) return `apt's lists do not show which archive is ${codename}'s own`;
  const parts = mkdtempSync(join(tmpdir(), "ingle-apt-"));
  try {
    if (existsSync(PARTS)) for (const name of readdirSync(PARTS)) symlinkSync(join(PARTS, name), join(parts, name));
    writeFileSync(join(parts, "ingle-backports.sources"), source);
    const ownLists = ["-o", `Dir::Etc::SourceParts=${parts}`];
    return aptUpdate(ownLists) ?? aptInstall(names, [...ownLists, ...target]);
  } finally {
    rmSync(parts, { recursive: true, force: true });
  }
}

function readLists(): AptList[] {
  const parts = existsSync(PARTS) ? readdirSync(PARTS).map((name) => join(PARTS, name)) : [];
  return [LIST, ...parts]
    .filter((path) => existsSync(path) && /\.(list|sources)$/.test(path))
    .map((path) => ({ path, text: readFileSync(path, "utf8") }));
}

function apt(args: readonly string[]): string | undefined {
  const done = spawnSync("apt-get", args, {
    encoding: "utf8",
    env: { ...plainEnvironment(), DEBIAN_FRONTEND: "noninteractive" },
    timeout: TIME_LIMIT_MS,
    maxBuffer: 1 << 26,
  });
  if (done.status === 0) return undefined;
  const errors = (done.stderr ?? "").split("\n").filter((line) => line.startsWith("E:"));
  return errors[0]?.slice(2).trim() ?? done.error?.message ?? `apt-get ${args[0]} ended with exit code ${done.status}`;
}

function plainEnvironment(): NodeJS.ProcessEnv {
  return { ...process.env, LC_ALL: "C" };
}
