// One file kept in a directory of OPFS, in chunks of 16 MiB whose digests stand in a manifest beside it. Every chunk that is
// read was checked against its digest; one that does not match counts as not there.

import { sha256Hex } from "../base/sha256.ts";
import { createGate } from "./backoff.ts";
import { CheckedFile, guard } from "./checked-file.ts";
import { emptyManifest, type Manifest, readManifest, writeManifest } from "./manifest.ts";
import { CHUNK_BYTES } from "./weights-identity.ts";

/** Owns the lock on the file while it is being written; a complete file is read without one, by any number of tabs. */
export class ChunkStore {
  readonly manifest: Manifest;
  readonly #directory: FileSystemDirectoryHandle;
  readonly #name: string;
  readonly #damaged = new Set<number>();
  /** Manifests are written one after another. */
  readonly #turn = createGate(1);
  #file: CheckedFile | undefined;

  private constructor(directory: FileSystemDirectoryHandle, name: string, manifest: Manifest, file?: CheckedFile) {
    this.#directory = directory;
    this.#name = name;
    this.manifest = manifest;
    this.#file = file;
  }

  /** The kept file of `url` if it is whole; undefined otherwise. */
  static async openComplete(directory: FileSystemDirectoryHandle, url: string): Promise<ChunkStore | undefined> {
    const name = await nameOf(url);
    const manifest = await readManifest(directory, manifestOf(name));
    if (!manifest?.complete || manifest.url !== url) return undefined;
    const size = await directory.getFileHandle(name).then(
      async (handle) => (await handle.getFile()).size,
      () => undefined,
    );
    return size === manifest.size ? new ChunkStore(directory, name, manifest) : undefined;
  }

  /**
   * The file of `url` to be filled: what is there of the same size and version is kept, all else starts clean. Without a
   * version nobody can tell whether the rest would fit, so that starts clean too.
   * @throws EngineError `storage_unavailable` (another tab is filling it, or there is no such storage), `quota_exceeded`
   */
  static async openToFill(
    directory: FileSystemDirectoryHandle,
    url: string,
    size: number,
    version: string | undefined,
  ): Promise<ChunkStore> {
    const name = await nameOf(url);
    const file = await CheckedFile.open(directory, name);
    try {
      const kept = await readManifest(directory, manifestOf(name));
      const fits = kept?.url === url && kept.size === size && version !== undefined && kept.version === version;
      const manifest = fits ? { ...kept, complete: false } : emptyManifest(url, size, version);
      if (!fits) {
        file.truncate(0);
        await writeManifest(directory, manifestOf(name), manifest);
      }
      return new ChunkStore(directory, name, manifest, file);
    } catch (error) {
      file.close();
      throw error;
    }
  }

  get chunkCount(): number {
    return this.manifest.digests.length;
  }

  /** Bytes of the chunks that are here. */
  get keptBytes(): number {
    return this.manifest.digests.reduce((sum, _, index) => sum + (this.has(index) ? this.#lengthOf(index) : 0), 0);
  }

  has(index: number): boolean {
    return this.manifest.digests[index] !== null && !this.#damaged.has(index);
  }

  /**
   * Chunk `index`, or undefined when it is not here or not what was written.
   * @throws EngineError `storage_unavailable` when the file cannot be read at all, as after site data were cleared
   */
  async read(index: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (!this.has(index)) return undefined;
    const bytes = await this.#bytesOf(index);
    if (bytes && (await sha256Hex(bytes)) === this.manifest.digests[index]) return bytes;
    this.#damaged.add(index);
    return undefined;
  }

  /**
   * Keeps a chunk. A chunk that was here before and got damaged must come back as it was.
   * @returns false when it did not
   * @throws EngineError `quota_exceeded`, `storage_unavailable`
   */
  async write(index: number, bytes: Uint8Array<ArrayBuffer>): Promise<boolean> {
    const digest = await sha256Hex(bytes);
    const before = this.manifest.digests[index];
    if (before !== null && before !== digest) return false;
    await this.#turn(async () => {
      this.#file ??= await CheckedFile.open(this.#directory, this.#name);
      this.#file.write(bytes, index * CHUNK_BYTES);
      this.#file.flush();
      this.manifest.digests[index] = digest;
      this.#damaged.delete(index);
      await writeManifest(this.#directory, manifestOf(this.#name), this.manifest);
    });
    return true;
  }

  /** Marks the file whole, after every chunk was read back, and gives up the lock. */
  async complete(sha256: string | null): Promise<void> {
    await this.#turn(async () => {
      this.manifest.complete = true;
      this.manifest.sha256 = sha256;
      await writeManifest(this.#directory, manifestOf(this.#name), this.manifest);
      this.close();
    });
  }

  close(): void {
    this.#file?.close();
    this.#file = undefined;
  }

  /** Takes the file away, as far as the browser lets us. */
  async remove(): Promise<void> {
    await this.#turn(async () => {
      this.close();
      await removeFiles(this.#directory, this.#name).catch(() => {});
    });
  }

  async #bytesOf(index: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const offset = index * CHUNK_BYTES;
    const length = this.#lengthOf(index);
    if (this.#file) return this.#file.size() < offset + length ? undefined : this.#file.read(offset, length);
    return guard("read", 0, async () => {
      const blob = await (await this.#directory.getFileHandle(this.#name)).getFile();
      const bytes = new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer());
      return bytes.length === length ? bytes : undefined;
    });
  }

  #lengthOf(index: number): number {
    return Math.min(CHUNK_BYTES, this.manifest.size - index * CHUNK_BYTES);
  }
}

/** Names in OPFS: the URL's digest, since a URL may be longer than a file name and hold any character. */
export async function nameOf(url: string): Promise<string> {
  return `${(await sha256Hex(url)).slice(0, 32)}.gguf`;
}

export const MANIFEST_ENDING = ".json";

function manifestOf(name: string): string {
  return name + MANIFEST_ENDING;
}

/** The manifest goes first: without it, what is left counts as nothing. */
export async function removeFiles(directory: FileSystemDirectoryHandle, name: string): Promise<void> {
  await guard("delete", 0, async () => {
    for (const file of [manifestOf(name), name]) {
      await directory.removeEntry(file).catch((error: { name?: string }) => {
        if (error.name !== "NotFoundError") throw error;
      });
    }
  });
}
