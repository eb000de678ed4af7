// What was measured about kernels, in a file of the user's cache folder: Node's stand-in for IndexedDB.
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { MAX_KEPT_KEYS, type TuningStore } from "../src/storage/tuning-store.ts";

export const TUNING_FILE = join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "ingle", "tuning.json");

/** One JSON object by key. A file that cannot be read or is no such object counts as empty. */
export function fileTuningStore(path: string): TuningStore {
  const readAll = async (): Promise<[string, unknown][]> => {
    const text = await readFile(path, "utf8").catch(() => "{}");
    try {
      const value: unknown = JSON.parse(text);
      return typeof value === "object" && value !== null && !Array.isArray(value) ? Object.entries(value) : [];
    } catch {
      return [];
    }
  };
  return {
    read: async (key) => new Map(await readAll()).get(key),
    async write(key, value) {
      const others = (await readAll()).filter(([name]) => name !== key);
      const kept = [...others.slice(-(MAX_KEPT_KEYS - 1)), [key, value]];
      await mkdir(dirname(path), { recursive: true });
      // Beside it first: another process may be reading.
      const fresh = `${path}.${process.pid}`;
      await writeFile(fresh, `${JSON.stringify(Object.fromEntries(kept), null, 1)}\n`);
      await rename(fresh, path);
    },
  };
}
