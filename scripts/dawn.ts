// WebGPU in Node: Dawn over whatever Vulkan driver this machine has (Metal and Direct3D on other systems).
// By default a real GPU is taken; the CPU drivers lavapipe and SwiftShader are found by name, for tests and comparisons.
import { existsSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { EngineError } from "../src/base/errors.ts";

export interface DawnOptions {
  /** "lavapipe", "swiftshader", or a part of another adapter's name. Default: the system's best GPU, else a CPU driver. */
  adapter?: string;
}

export interface Dawn {
  readonly gpu: GPU;
  /** The adapter's name as Dawn gives it. */
  readonly name: string;
}

/** The version of the npm package that brings it. */
export function dawnVersion(): string {
  return createRequire(import.meta.url)("webgpu/package.json").version;
}

/** Vulkan drivers that run on the CPU, by name, and where their manifests lie: the first that exists is taken. */
const CPU_DRIVERS: Readonly<Record<string, { manifests(): string[]; install: string }>> = {
  lavapipe: {
    manifests: () =>
      ["/usr/share", "/usr/local/share", "/etc", join(homedir(), ".local/share")].flatMap((root) =>
        list(join(root, "vulkan/icd.d"), /^lvp_icd.*\.json$/),
      ),
    install: "install Mesa's Vulkan drivers, 23.1 or newer (Debian: apt-get install mesa-vulkan-drivers)",
  },
  swiftshader: {
    manifests: () => browserFolders().flatMap((folder) => list(folder, /^vk_swiftshader_icd\.json$/)),
    install: "install Chromium, which carries it (npm test does so, or: apt-get install chromium)",
  },
};
const LOADER_HINT = "install a Vulkan loader and driver (Debian: apt-get install libvulkan1 mesa-vulkan-drivers)";

/** The names of the CPU drivers here, and for each that is absent what to install. */
export function listCpuDrivers(): { name: string; manifest?: string; install: string }[] {
  return Object.entries(CPU_DRIVERS).map(([name, { manifests, install }]) => {
    const manifest = manifests()[0];
    return manifest === undefined ? { name, install } : { name, manifest, install };
  });
}

/**
 * Opens Dawn. One process may open several drivers, one after the other.
 * @throws EngineError `webgpu_unavailable`, saying in one line what to install or run
 */
export async function openDawn({ adapter }: DawnOptions = {}): Promise<Dawn> {
  const { create, globals } = await import("webgpu").catch((cause: unknown) => {
    throw unavailable("the npm package `webgpu` does not load here; run npm install", cause);
  });
  Object.assign(globalThis, globals);
  if (adapter !== undefined && adapter in CPU_DRIVERS) {
    const driver = listCpuDrivers().find(({ name }) => name === adapter)!;
    if (!driver.manifest) throw unavailable(`the driver ${adapter} is not here; ${driver.install}`);
    const dawn = await openDriver(create, driver.manifest, CPU_TOGGLES);
    if (!dawn) throw unavailable(`${driver.manifest} gave no adapter; ${LOADER_HINT}`);
    return dawn;
  }
  const found = await openDriver(create, undefined, adapter === undefined ? [] : [`adapter=${adapter}`]);
  if (found) return found;
  if (adapter !== undefined) throw unavailable(`no adapter is named like "${adapter}"; try lavapipe or swiftshader`);
  // SwiftShader is not among the system's drivers, but any browser brings it.
  for (const { manifest } of listCpuDrivers()) {
    const dawn = manifest === undefined ? undefined : await openDriver(create, manifest, CPU_TOGGLES);
    if (dawn) return dawn;
  }
  throw unavailable(`no GPU driver was found; ${LOADER_HINT}`);
}

type Create = (options: string[]) => GPU;

/** Zeroing workgroup memory by Vulkan's own extension makes CPU drivers compile for seconds; Dawn's loop takes none. */
const CPU_TOGGLES = ["disable-dawn-features=use_vulkan_zero_initialize_workgroup_memory_extension"];

/** For the process's life: Dawn crashes once the object that create() returned is collected. */
const kept: GPU[] = [];

/** The Vulkan loader reads these two at each create(). */
const LOADER_VARIABLES = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"];

async function openDriver(create: Create, manifest: string | undefined, options: string[]): Promise<Dawn | undefined> {
  const before = LOADER_VARIABLES.map((name) => process.env[name]);
  if (manifest !== undefined) for (const name of LOADER_VARIABLES) process.env[name] = manifest;
  try {
    const gpu = create(options);
    kept.push(gpu);
    const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
    if (!adapter) return undefined;
    return { gpu, name: adapter.info.description || adapter.info.device || adapter.info.vendor };
  } catch {
    return undefined;
  } finally {
    LOADER_VARIABLES.forEach((name, index) => {
      if (before[index] === undefined) delete process.env[name];
      else process.env[name] = before[index];
    });
  }
}

/** Folders of installed browsers that may carry SwiftShader, system ones first. */
function browserFolders(): string[] {
  const playwright = process.env["PLAYWRIGHT_BROWSERS_PATH"] ?? join(homedir(), ".cache/ms-playwright");
  const downloaded = list(playwright, /^chromium/).flatMap((folder) => list(folder, /^chrome/));
  const system = [
    "/usr/lib/chromium",
    "/usr/lib/chromium-browser",
    "/opt/google/chrome",
    "/usr/lib64/chromium-browser",
  ];
  return [...system, ...downloaded];
}

function list(folder: string, pattern: RegExp): string[] {
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).filter((name) => pattern.test(name));
  return names.sort().map((name) => join(folder, name));
}

function unavailable(reason: string, cause?: unknown): EngineError<"webgpu_unavailable"> {
  return new EngineError("webgpu_unavailable", `WebGPU cannot be used: ${reason}.`, { details: { reason }, cause });
}
