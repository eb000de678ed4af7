// The directory API of OPFS in memory, with the faults of real ones: numeric error codes, quota, locks, crashes.

import type { SyncHandle } from "../../src/storage/checked-file.ts";

export type Operation =
  | "open"
  | "read"
  | "write"
  | "flush"
  | "truncate"
  | "getSize"
  | "manifest"
  | "getFile"
  | "remove";

interface FakeFile {
  bytes: Uint8Array<ArrayBuffer>;
  length: number;
  locked: boolean;
}

/** The disk; it outlives the directories that look at it, as it does a crash of the page. */
export class FakeDisk {
  readonly files = new Map<string, FakeFile>();

  file(name: string): FakeFile {
    const file = this.files.get(name) ?? { bytes: new Uint8Array(1024), length: 0, locked: false };
    this.files.set(name, file);
    return file;
  }

  bytes(name: string): Uint8Array<ArrayBuffer> {
    const { bytes, length } = this.file(name);
    return bytes.subarray(0, length);
  }

  /** A crash releases all locks. */
  unlock(): void {
    for (const file of this.files.values()) file.locked = false;
  }

  get heldBytes(): number {
    return [...this.files.values()].reduce((sum, file) => sum + file.length, 0);
  }
}

export interface Faults {
  /** Called before each operation; what it throws, the operation throws. */
  before?: (operation: Operation, count: number) => void;
  /** Replaces the number that read, write or getSize returns; the operation is then not done. */
  returns?: (operation: Operation, asked: number) => number | undefined;
  quotaBytes?: number;
}

export function fakeDirectory(disk: FakeDisk, faults: Faults = {}): FileSystemDirectoryHandle {
  let count = 0;
  const before = (operation: Operation) => faults.before?.(operation, ++count);
  const quota = faults.quotaBytes ?? Number.POSITIVE_INFINITY;

  function resize(file: FakeFile, length: number): void {
    if (length > file.bytes.length) {
      const larger = new Uint8Array(Math.max(length, file.bytes.length * 2));
      larger.set(file.bytes.subarray(0, file.length));
      file.bytes = larger;
    }
    if (length < file.length) file.bytes.fill(0, length, file.length);
    file.length = length;
  }

  function syncHandle(file: FakeFile): SyncHandle {
    file.locked = true;
    return {
      read(buffer, { at }) {
        before("read");
        const forced = faults.returns?.("read", buffer.length);
        if (forced !== undefined) return forced;
        const part = file.bytes.subarray(Math.min(at, file.length), Math.min(at + buffer.length, file.length));
        buffer.set(part);
        return part.length;
      },
      write(buffer, { at }) {
        before("write");
        const forced = faults.returns?.("write", buffer.length);
        if (forced !== undefined) return forced;
        if (disk.heldBytes + Math.max(0, at + buffer.length - file.length) > quota) return 2 ** 32 - 8;
        resize(file, Math.max(file.length, at + buffer.length));
        file.bytes.set(buffer, at);
        return buffer.length;
      },
      getSize() {
        before("getSize");
        return faults.returns?.("getSize", 0) ?? file.length;
      },
      truncate(size) {
        before("truncate");
        resize(file, size);
      },
      flush: () => before("flush"),
      close() {
        file.locked = false;
      },
    };
  }

  const directory = {
    async getFileHandle(name: string, options: { create?: boolean } = {}) {
      if (!disk.files.has(name) && !options.create) throw new DOMException("no such file", "NotFoundError");
      const file = disk.file(name);
      return {
        async createSyncAccessHandle() {
          before("open");
          if (file.locked) throw new DOMException("locked", "NoModificationAllowedError");
          return syncHandle(file);
        },
        async getFile() {
          before("getFile");
          return new File([file.bytes.subarray(0, file.length)], name);
        },
        async createWritable() {
          let text = "";
          return {
            async write(more: string) {
              text += more;
            },
            async close() {
              before("manifest");
              const bytes = new TextEncoder().encode(text);
              if (disk.heldBytes + bytes.length > quota) throw new DOMException("full", "QuotaExceededError");
              resize(file, 0);
              resize(file, bytes.length);
              file.bytes.set(bytes);
            },
          };
        },
      };
    },
    async removeEntry(name: string) {
      before("remove");
      if (!disk.files.has(name)) throw new DOMException("no such file", "NotFoundError");
      if (disk.file(name).locked) throw new DOMException("locked", "NoModificationAllowedError");
      disk.files.delete(name);
    },
    async *keys() {
      yield* [...disk.files.keys()];
    },
  };
  return directory as unknown as FileSystemDirectoryHandle;
}
