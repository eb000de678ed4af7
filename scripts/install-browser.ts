// Makes sure of what the GPU and browser tests need: a Chromium, the Vulkan loader, and a Vulkan driver (a GPU's, else Mesa's
// lavapipe). Installs with apt where it may; says what it could not do and why. Nothing here is needed to use Ingle.
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import {
  aptInstall,
  aptObstacle,
  aptUpdate,
  candidateVersion,
  commandExists,
  installedVersion,
  installFromBackports,
  isAtLeast,
} from "./apt.ts";
import { findBrowser } from "./find-browser.ts";

/** Older lavapipe lacks what Dawn asks of a Vulkan driver. */
const LEAST_MESA = "23.1";
const MESA = "mesa-vulkan-drivers";
const LOADER = "libvulkan1";
const PLAYWRIGHT_TIME_LIMIT_MS = 5 * 60_000;

export interface TestMachine {
  /** Path of a Chromium. */
  browser: string | undefined;
  /** One line for each thing that is missing: what, and why it could not be installed. */
  missing: readonly string[];
}

export function prepareMachine(say: (line: string) => void = console.error): TestMachine {
  const missing: string[] = [];
  const attempt = (failure: string | undefined) => {
    if (failure === undefined) return;
    missing.push(failure);
    say(failure);
  };
  let updated: string | undefined | "not yet" = "not yet";
  const apt: AptGate = () => {
    if (updated === "not yet") {
      updated = aptObstacle();
      if (updated === undefined) {
        say("Refreshing apt's lists");
        updated = aptUpdate();
      }
    }
    return updated;
  };
  if (process.platform === "linux") {
    attempt(prepareLoader(apt, say));
    attempt(prepareDriver(apt, say));
  }
  attempt(prepareBrowser(apt, say));
  return { browser: findBrowser(), missing };
}

export async function main(): Promise<void> {
  const { browser, missing } = prepareMachine();
  console.log(browser === undefined ? "Chromium: none" : `Chromium: ${browser}`);
  if (missing.length === 0) console.log("Everything that the tests need is here.");
}

/** Why apt cannot install now, after its lists were refreshed once. */
type AptGate = () => string | undefined;

function prepareLoader(apt: AptGate, say: (line: string) => void): string | undefined {
  const loaded = /libvulkan\.so\.1/.test(
    spawnSync("sh", ["-c", "/sbin/ldconfig -p || ldconfig -p"], { encoding: "utf8" }).stdout ?? "",
  );
  if (loaded || installedVersion(LOADER) !== undefined) return undefined;
  say("Installing the Vulkan loader");
  const failure = apt() ?? aptInstall([LOADER]);
  return (
    failure && `No Vulkan loader (${failure}). WebGPU in Node needs it: install ${LOADER} or your system's equivalent.`
  );
}

function prepareDriver(apt: AptGate, say: (line: string) => void): string | undefined {
  if (!commandExists("dpkg-query")) return undefined; // another distribution: whatever driver it has will be tried
  const installed = installedVersion(MESA);
  if (installed !== undefined && isAtLeast(installed, LEAST_MESA)) return undefined;
  say(`Installing Mesa's Vulkan drivers, ${LEAST_MESA} or newer`);
  const failure = apt() ?? installMesa();
  return (
    failure && `No lavapipe ${LEAST_MESA} or newer (${failure}): GPU tests in Node run on what other drivers there are.`
  );
}

function installMesa(): string | undefined {
  const candidate = candidateVersion(MESA);
  const enough = candidate !== undefined && isAtLeast(candidate, LEAST_MESA);
  return enough ? aptInstall([MESA]) : installFromBackports([MESA]);
}

function prepareBrowser(apt: AptGate, say: (line: string) => void): string | undefined {
  if (findBrowser() !== undefined) return undefined;
  say("Installing Chromium");
  const failure = apt() ?? aptInstall(["chromium"]);
  if (findBrowser() !== undefined) return undefined;
  const second = downloadWithPlaywright();
  if (findBrowser() !== undefined) return undefined;
  return `No Chromium (apt: ${failure ?? "its package has no browser in it"}; Playwright: ${second}). Install Chrome or Chromium, or set CHROMIUM.`;
}

function downloadWithPlaywright(): string {
  const cli = join(dirname(createRequire(import.meta.url).resolve("playwright-core/package.json")), "cli.js");
  const done = spawnSync(process.execPath, [cli, "install", "chromium"], {
    encoding: "utf8",
    timeout: PLAYWRIGHT_TIME_LIMIT_MS,
  });
  const reason = /Error: (.*)/.exec(done.stderr ?? "")?.[1] ?? done.error?.message;
  return reason ?? (done.status === 0 ? "it brought none" : `exit code ${done.status}`);
}
