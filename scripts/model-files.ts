// A model on disk as a ModelSource: one file, or all the parts of a split one when its first part is named.
import { dirname, join } from "node:path";
import type { ModelSource } from "../src/storage/byte-source.ts";
import { openFileSource } from "./file-source.ts";

export interface OpenFiles {
  source: ModelSource;
  close(): Promise<void>;
}

/** @throws EngineError `model_not_found` */
export async function openModelFiles(path: string): Promise<OpenFiles> {
  const files: Awaited<ReturnType<typeof openFileSource>>[] = [];
  const close = async () => {
    await Promise.all(files.map((file) => file.close()));
  };
  try {
    for (const part of partPaths(path)) files.push(await openFileSource(part));
  } catch (error) {
    await close();
    throw error;
  }
  return { source: { files }, close };
}

/** `x-00001-of-00003.gguf` stands for its three parts; any other path for itself. */
export function partPaths(path: string): string[] {
  const match = /([^/\\]*)-\d{5}-of-(\d{5})\.gguf$/.exec(path);
  if (match === null) return [path];
  const [, stem, count] = match;
  return Array.from({ length: Number(count) }, (_, index) =>
    join(dirname(path), `${stem}-${String(index + 1).padStart(5, "0")}-of-${count}.gguf`),
  );
}
