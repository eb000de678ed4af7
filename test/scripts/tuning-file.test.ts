// The file in which Node keeps what was measured: whatever is wrong with it, it is a miss and is written anew.
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { fileTuningStore } from "../../scripts/tuning-file.ts";
import { MAX_KEPT_KEYS } from "../../src/storage/tuning-store.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "ingle-tuning-"));
});
afterEach(() => rm(folder, { recursive: true }));

test("what was written is read, by another process too, from a folder that is made for it", async () => {
  const path = join(folder, "deeper", "tuning.json");
  expect(await fileTuningStore(path).read("key")).toBeUndefined();
  await fileTuningStore(path).write("key", { version: 1 });
  await fileTuningStore(path).write("other", { version: 2 });
  expect(await fileTuningStore(path).read("key")).toEqual({ version: 1 });
  expect(await fileTuningStore(path).read("other")).toEqual({ version: 2 });
  expect(await readdir(join(folder, "deeper"))).toEqual(["tuning.json"]);
});

test.each(["", "{", "null", "[1, 2]", '"text"', "\u0000"])(
  "a file that says %j is empty, until it is written",
  async (text) => {
    const path = join(folder, "tuning.json");
    await writeFile(path, text);
    const store = fileTuningStore(path);
    expect(await store.read("0")).toBeUndefined();
    await store.write("key", "value");
    expect(await store.read("key")).toBe("value");
  },
);

test("of many keys the last ones are kept, and a key written again is the last", async () => {
  const path = join(folder, "tuning.json");
  const store = fileTuningStore(path);
  await store.write("first", 0);
  for (let index = 1; index < MAX_KEPT_KEYS; index++) await store.write(`key ${index}`, index);
  await store.write("first", 1);
  await store.write("one more", 2);
  expect(await store.read("first")).toBe(1);
  expect(await store.read("key 1")).toBeUndefined();
  expect(Object.keys(JSON.parse(await readFile(path, "utf8"))).length).toBe(MAX_KEPT_KEYS);
});
