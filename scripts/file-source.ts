// A file on disk as a ByteSource, for Node.

import { open } from "node:fs/promises";
import { basename } from "node:path";
import { EngineError, throwIfAborted } from "../src/base/errors.ts";
import { type ByteSource, checkRange } from "../src/storage/byte-source.ts";

/** @throws EngineError `model_not_found` when there is no readable file at `path` */
export async function openFileSource(path: string): Promise<ByteSource & { close(): Promise<void> }> {
  const handle = await open(path, "r").catch((cause: unknown) => {
    throw new EngineError("model_not_found", `Cannot open ${path}: ${message(cause)}`, { cause });
  });
  const { size } = await handle.stat();
  const name = basename(path);
  return {
    name,
    size,
    async read(offset, length, signal) {
      throwIfAborted(signal);
      checkRange(name, size, offset, length);
      const bytes = new Uint8Array(length);
      let done = 0;
      while (done < length) {
        const { bytesRead } = await handle.read(bytes, done, length - done, offset + done);
        if (bytesRead === 0) throw new EngineError("source_changed", `${path} became shorter while in use.`);
        done += bytesRead;
      }
      throwIfAborted(signal);
      return bytes;
    },
    close: () => handle.close(),
  };
}

function message(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
