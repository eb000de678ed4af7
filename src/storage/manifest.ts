// What is known of a file kept in OPFS: where it came from, and the digest of each chunk that is there. It is written after
// the chunk itself is on disk, so that a crash costs at most that chunk.

import { CheckedFile, guard } from "./checked-file.ts";
import { CHUNK_BYTES } from "./weights-identity.ts";

export interface Manifest {
  readonly format: 1;
  readonly url: string;
  readonly size: number;
  /** The server's ETag or Last-Modified. */
  readonly version: string | null;
  /** SHA-256 of each 16 MiB chunk; null: not here yet. */
  readonly digests: (string | null)[];
  /** Set once every chunk was read back from the disk and matched. */
  complete: boolean;
  /** SHA-256 of the whole file, when it was checked against a published one. */
  sha256: string | null;
}

export function emptyManifest(url: string, size: number, version: string | undefined): Manifest {
  const digests = Array.from({ length: Math.ceil(size / CHUNK_BYTES) }, () => null);
  return { format: 1, url, size, version: version ?? null, digests, complete: false, sha256: null };
}

/** The manifest in `name`; undefined when there is none, or one that is torn, foreign or contradicts itself. */
export async function readManifest(directory: FileSystemDirectoryHandle, name: string): Promise<Manifest | undefined> {
  try {
    const handle = await directory.getFileHandle(name);
    const value: unknown = JSON.parse(await (await handle.getFile()).text());
    return isManifest(value) ? value : undefined;
  } catch {
    return undefined; // whatever is wrong with it, the answer is the same: nothing is kept
  }
}

/**
 * Replaces the file as a whole: createWritable writes beside it and swaps on close. Safari before 26 lacks it; there a crash
 * in mid-write leaves a torn manifest, and the download starts clean.
 */
export async function writeManifest(
  directory: FileSystemDirectoryHandle,
  name: string,
  manifest: Manifest,
): Promise<void> {
  const text = JSON.stringify(manifest);
  await guard("write of the manifest", text.length, async () => {
    const handle: Partial<FileSystemFileHandle> = await directory.getFileHandle(name, { create: true });
    if (handle.createWritable) {
      const writable = await handle.createWritable();
      await writable.write(text);
      await writable.close();
      return;
    }
    const file = await CheckedFile.open(directory, name);
    try {
      file.truncate(0);
      file.write(new TextEncoder().encode(text), 0);
      file.flush();
    } finally {
      file.close();
    }
  });
}

function isManifest(value: unknown): value is Manifest {
  if (typeof value !== "object" || value === null) return false;
  const { format, url, size, version, digests, complete, sha256 } = value as Record<keyof Manifest, unknown>;
  return (
    format === 1 &&
    typeof url === "string" &&
    Number.isSafeInteger(size) &&
    (size as number) > 0 &&
    isTextOrNull(version) &&
    isTextOrNull(sha256) &&
    typeof complete === "boolean" &&
    Array.isArray(digests) &&
    digests.length === Math.ceil((size as number) / CHUNK_BYTES) &&
    digests.every((digest) => digest === null || (typeof digest === "string" && /^[0-9a-f]{64}$/.test(digest))) &&
    (!complete || !digests.includes(null))
  );
}

function isTextOrNull(value: unknown): value is string | null {
  return value === null || typeof value === "string";
}
