// A file of the origin private file system through its sync handle, with every return checked: Chromium 156 returns negative
// error codes as huge unsigned numbers instead of throwing (crbug 541725401; the checks stay when it is fixed).

import { EngineError } from "../base/errors.ts";

/** What is used of FileSystemSyncAccessHandle, which TypeScript only knows in its worker library. */
export interface SyncHandle {
  read(buffer: Uint8Array, options: { at: number }): number;
  write(buffer: Uint8Array, options: { at: number }): number;
  getSize(): number;
  truncate(size: number): void;
  flush(): void;
  close(): void;
}

const NO_SPACE = 2 ** 32 - 8; // base::File::FILE_ERROR_NO_SPACE, -8, read as unsigned

/** Owns the handle, which locks the file for all tabs. */
export class CheckedFile {
  readonly #handle: SyncHandle;

  constructor(handle: SyncHandle) {
    this.#handle = handle;
  }

  /** @throws EngineError `storage_unavailable` when another tab has the file, or there is no such storage here */
  static async open(directory: FileSystemDirectoryHandle, name: string): Promise<CheckedFile> {
    return guard("open", 0, async () => {
      const file = (await directory.getFileHandle(name, { create: true })) as unknown as {
        createSyncAccessHandle?(): Promise<SyncHandle>;
      };
      if (!file.createSyncAccessHandle) throw unavailable("this browser has no file access for workers");
      return new CheckedFile(await file.createSyncAccessHandle());
    });
  }

  /** @throws EngineError `storage_unavailable`, also when the file is shorter, which it is once site data were cleared */
  read(offset: number, length: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(length);
    let done = 0;
    while (done < length) {
      const count = attempt("read", length, () => this.#handle.read(bytes.subarray(done), { at: offset + done }));
      if (count === 0 || !isCount(count, length - done))
        throw unavailable(`read returned ${count} of ${length - done}`);
      done += count;
    }
    return bytes;
  }

  /** @throws EngineError `quota_exceeded`, `storage_unavailable` */
  write(bytes: Uint8Array, offset: number): void {
    let done = 0;
    while (done < bytes.length) {
      const asked = bytes.length - done;
      const count = attempt("write", asked, () => this.#handle.write(bytes.subarray(done), { at: offset + done }));
      if (count === 0 || count === NO_SPACE) throw noSpace(asked);
      if (!isCount(count, asked)) throw unavailable(`write returned ${count} of ${asked}`);
      done += count;
    }
  }

  size(): number {
    const size = attempt("getSize", 0, () => this.#handle.getSize());
    if (!isCount(size, Number.MAX_SAFE_INTEGER)) throw unavailable(`getSize returned ${size}`);
    return size;
  }

  truncate(size: number): void {
    attempt("truncate", size, () => this.#handle.truncate(size));
  }

  flush(): void {
    attempt("flush", 0, () => this.#handle.flush());
  }

  close(): void {
    this.#handle.close();
  }
}

/** Turns what the file system throws into an EngineError; `bytes` is what was to be stored. */
export async function guard<T>(what: string, bytes: number, task: () => Promise<T>): Promise<T> {
  try {
    return await task();
  } catch (cause) {
    throw typed(what, bytes, cause);
  }
}

function attempt<T>(what: string, bytes: number, task: () => T): T {
  try {
    return task();
  } catch (cause) {
    throw typed(what, bytes, cause);
  }
}

function typed(what: string, bytes: number, cause: unknown): EngineError {
  if (cause instanceof EngineError) return cause;
  const { name, message } = cause as { name?: string; message?: string };
  if (name === "QuotaExceededError") return noSpace(bytes, cause);
  if (name === "NoModificationAllowedError") return unavailable("another tab has the file open", cause);
  return unavailable(`${what} failed: ${message ?? String(cause)}`, cause);
}

function isCount(value: number, most: number): boolean {
  return Number.isSafeInteger(value) && value >= 0 && value <= most;
}

function noSpace(neededBytes: number, cause?: unknown): EngineError<"quota_exceeded"> {
  return new EngineError(
    "quota_exceeded",
    `The browser's storage has no room for ${neededBytes} more bytes; free some.`,
    {
      details: { neededBytes },
      cause,
    },
  );
}

function unavailable(why: string, cause?: unknown): EngineError<"storage_unavailable"> {
  return new EngineError("storage_unavailable", `The browser's storage cannot be used: ${why}.`, { cause });
}
