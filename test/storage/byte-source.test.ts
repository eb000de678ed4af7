// Sources in memory, of a Blob and of a file on disk behave alike.

import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { openFileSource } from "../../scripts/file-source.ts";
import { isEngineError } from "../../src/base/errors.ts";
import { blobSource, memorySource } from "../../src/storage/byte-source.ts";

const bytes = Uint8Array.from({ length: 1000 }, (_, i) => i * 7);
const folder = mkdtempSync(join(tmpdir(), "ingle-"));
afterAll(() => rmSync(folder, { recursive: true }));
const path = join(folder, "model.gguf");
writeFileSync(path, bytes);

test.each([
  ["memory", async () => memorySource(bytes)],
  ["blob", async () => blobSource(new Blob([bytes]))],
  ["file", () => openFileSource(path)],
])("%s: exact reads, refused outside of the source, aborted by the signal", async (_, open) => {
  const source = await open();
  expect(source.size).toBe(1000);
  expect(await source.read(10, 20)).toEqual(bytes.slice(10, 30));
  expect(await source.read(1000, 0)).toEqual(new Uint8Array(0));
  for (const [offset, length] of [[990, 11], [-1, 5], [0, -1], [0.5, 1], [Number.NaN, 1]] as const) {
    await expect(source.read(offset, length)).rejects.toThrow("Bug in Ingle");
  } // biome-ignore format: one list
  const error = await source.read(0, 1, AbortSignal.abort()).catch((reason: unknown) => reason);
  expect(isEngineError(error, "aborted")).toBe(true);
  if ("close" in source) await (source as { close(): Promise<void> }).close();
});

test("a read is a copy: the caller may write to it", async () => {
  const source = memorySource(bytes);
  (await source.read(0, 10)).fill(9);
  expect(await source.read(0, 10)).toEqual(bytes.slice(0, 10));
});

test("a File is called by its name", () => {
  expect(blobSource(new File([bytes], "picked.gguf")).name).toBe("picked.gguf");
});

test("a Blob that can no longer be read is source_changed", async () => {
  const broken = new Blob([bytes]);
  broken.slice = () => ({ arrayBuffer: () => Promise.reject(new DOMException("gone", "NotReadableError")) }) as Blob;
  const error = await blobSource(broken)
    .read(0, 1)
    .catch((reason: unknown) => reason);
  expect(isEngineError(error, "source_changed")).toBe(true);
});

test("a file that is not there, or becomes shorter, is a typed error", async () => {
  const missing = await openFileSource(join(folder, "none.gguf")).catch((reason: unknown) => reason);
  expect(isEngineError(missing, "model_not_found")).toBe(true);
  const source = await openFileSource(path);
  truncateSync(path, 500);
  const error = await source.read(400, 200).catch((reason: unknown) => reason);
  expect(isEngineError(error, "source_changed")).toBe(true);
  await source.close();
});
