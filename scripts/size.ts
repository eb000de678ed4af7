// `npm run size`: what a visitor downloads, gzipped: the page entry and both workers, each with all the chunks that it can load.
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { gzipSync } from "node:zlib";
import { buildLibrary } from "./build.ts";
import { CommandError } from "./command-error.ts";
import { PROJECT_ROOT } from "./default-model.ts";

const LIMIT_BYTES = 150_000;
const FOLDER = join(PROJECT_ROOT, ".cache/size"); // a build of its own: dist/ may be in use

export async function main(): Promise<void> {
  await buildLibrary(FOLDER);
  const page = measureEntry(join(FOLDER, "ingle.js"));
  const worker = measureEntry(join(FOLDER, "engine-worker.js"));
  const serviceWorker = measureEntry(join(FOLDER, "ingle-service-worker.js"));
  const total = page + worker + serviceWorker;
  console.log(
    `page ${inKilobytes(page)}, worker ${inKilobytes(worker)}, service worker ${inKilobytes(serviceWorker)}: ` +
      `${inKilobytes(total)} gzip of ${inKilobytes(LIMIT_BYTES)}`,
  );
  if (total > LIMIT_BYTES) throw new CommandError(`page and workers are ${total - LIMIT_BYTES} bytes over the limit`);
}

/** Bytes of a built module and of everything that it imports, statically or not, each file gzipped at level 9. */
function measureEntry(entry: string): number {
  const seen = new Set<string>();
  const visit = (path: string) => {
    if (seen.has(path)) return;
    if (!existsSync(path)) throw new CommandError(`${relative(PROJECT_ROOT, path)} was not built`);
    seen.add(path);
    const text = readFileSync(path, "utf8");
    for (const match of text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*["'`](\.{1,2}\/[^"'`]+\.js)["'`]/g)) {
      visit(join(dirname(path), match[1]!));
    }
  };
  visit(entry);
  return [...seen].reduce((sum, path) => sum + gzipSync(readFileSync(path), { level: 9 }).byteLength, 0);
}

function inKilobytes(bytes: number): string {
  return `${(bytes / 1000).toFixed(1)} kB`;
}
