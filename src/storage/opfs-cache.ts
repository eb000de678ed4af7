// Model files from the network, kept in OPFS on the way: a second visit reads them from there. Whatever goes wrong with the
// storage, the load goes on over the network, and `note` says why nothing was kept.

import { EngineError } from "../base/errors.ts";
import { type CachedSource, createCachedSource, type Expected, type OnProgress } from "./cached-source.ts";
import { guard } from "./checked-file.ts";
import { ChunkStore, MANIFEST_ENDING, nameOf, removeFiles } from "./chunk-store.ts";
import { type HttpOptions, httpSource } from "./http-source.ts";
import { readManifest } from "./manifest.ts";
import { CHUNK_BYTES } from "./weights-identity.ts";

export interface CacheOptions extends HttpOptions {
  /** Where to keep files; a folder of the origin's own storage otherwise. */
  directory?: FileSystemDirectoryHandle;
  onProgress?: OnProgress;
  /** Published figures of the file, checked by `finish`. */
  expected?: Expected;
}

/**
 * Opens a model file by its URL. Nothing but the first 256 KiB is fetched before a read asks for it, and no network is used
 * at all when the whole file is kept.
 * @throws EngineError `download_failed`, `source_changed`, `aborted`
 */
export async function openCached(url: string, options: CacheOptions = {}): Promise<CachedSource> {
  const open = { url, options, connect: () => httpSource(url, options) };
  let directory: FileSystemDirectoryHandle;
  try {
    directory = options.directory ?? (await modelDirectory());
    const kept = await ChunkStore.openComplete(directory, url);
    const wanted = options.expected?.sha256;
    if (kept && (wanted === undefined || kept.manifest.sha256 === null || kept.manifest.sha256 === wanted)) {
      return createCachedSource({ ...open, size: kept.manifest.size, store: kept });
    }
    if (kept) await kept.remove(); // it was checked against other figures: a newer file at the same address
  } catch (error) {
    const http = await open.connect();
    return createCachedSource({ ...open, size: http.size, http, note: notKept(error) });
  }
  const http = await open.connect();
  try {
    const store = await ChunkStore.openToFill(directory, url, http.size, http.version);
    return createCachedSource({ ...open, size: http.size, http, store });
  } catch (error) {
    return createCachedSource({ ...open, size: http.size, http, note: notKept(error) });
  }
}

export interface CachedFile {
  readonly url: string;
  readonly size: number;
  /** Bytes of it that are on disk. */
  readonly keptBytes: number;
  readonly complete: boolean;
}

/** What is kept; an empty list where there is no storage. */
export async function listCached(directory?: FileSystemDirectoryHandle): Promise<CachedFile[]> {
  const files: CachedFile[] = [];
  const folder = directory ?? (await modelDirectory().catch(() => undefined));
  if (!folder) return files;
  for await (const name of (folder as unknown as { keys(): AsyncIterable<string> }).keys()) {
    const manifest = name.endsWith(MANIFEST_ENDING) ? await readManifest(folder, name) : undefined;
    if (!manifest) continue;
    const { url, size, complete, digests } = manifest;
    const kept = digests.map((digest, i) => (digest ? Math.min(CHUNK_BYTES, size - i * CHUNK_BYTES) : 0));
    files.push({ url, size, complete, keptBytes: kept.reduce((sum, bytes) => sum + bytes, 0) });
  }
  return files;
}

/**
 * Removes what is kept of a URL, if anything is.
 * @throws EngineError `storage_unavailable` while a tab is filling it
 */
export async function deleteCached(url: string, directory?: FileSystemDirectoryHandle): Promise<void> {
  await removeFiles(directory ?? (await modelDirectory()), await nameOf(url));
}

async function modelDirectory(): Promise<FileSystemDirectoryHandle> {
  return guard("open of the storage", 0, async () => {
    const storage = globalThis.navigator?.storage as Partial<StorageManager> | undefined;
    if (!storage?.getDirectory) {
      throw new EngineError("storage_unavailable", "This browser, or its private mode, keeps no files.");
    }
    return (await storage.getDirectory()).getDirectoryHandle("ingle-models", { create: true });
  });
}

/** The words of `CachedSource.note`. */
function notKept(error: unknown): string {
  return `not kept: ${error instanceof Error ? error.message : String(error)}`;
}
