// The cache of model files: kept by verified chunks, resumed, repaired, and never in the way of a load.

import { createHash } from "node:crypto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type ErrorCode, isEngineError } from "../../src/base/errors.ts";
import type { DownloadProgress } from "../../src/storage/cached-source.ts";
import { type CacheOptions, deleteCached, listCached, openCached } from "../../src/storage/opfs-cache.ts";
import { CHUNK_BYTES, identityOf, weightsIdentity } from "../../src/storage/weights-identity.ts";
import { createRandom } from "../fixtures/random.ts";
import { FakeDisk, type Faults, fakeDirectory } from "./fake-opfs.ts";
import { type HostileServer, startHostileServer } from "./hostile-server.ts";

const CHUNKS = 2;
const body = new Uint8Array(CHUNK_BYTES + 12_345);
const words = new Uint32Array(body.buffer, 0, Math.floor(body.length / 4));
const random = createRandom(5);
for (let i = 0; i < words.length; i++) words[i] = random.uint32();
const sha256 = createHash("sha256").update(body).digest("hex");

let server: HostileServer;
let disk: FakeDisk;
beforeEach(async () => {
  server = await startHostileServer(body);
  disk = new FakeDisk();
});
afterEach(() => server.close());

const open = (options: CacheOptions = {}, faults: Faults = {}) =>
  openCached(server.url, { directory: fakeDirectory(disk, faults), sleep: async () => {}, ...options });
const dataFile = () => disk.bytes([...disk.files.keys()].find((name) => name.endsWith(".gguf"))!);

/** Reads like a loader: a header, then everything in pieces of 5 MB; then finishes. */
async function load(options: CacheOptions = {}, faults: Faults = {}) {
  const source = await open(options, faults);
  try {
    await source.read(0, 1000);
    source.startBody();
    const bytes = Buffer.alloc(source.size);
    for (let at = 0; at < source.size; at += 5_000_000) {
      bytes.set(await source.read(at, Math.min(5_000_000, source.size - at)), at);
    }
    await source.finish();
    return {
      same: bytes.equals(body),
      complete: source.complete,
      note: source.note,
      identity: await source.identity(),
    };
  } finally {
    source.close();
  }
}

async function expectError(promise: Promise<unknown>, code: ErrorCode) {
  const error = await promise.then(
    () => new Error("accepted"),
    (reason: unknown) => reason,
  );
  if (!isEngineError(error, code)) throw error;
}

test("a second visit reads all from the disk and makes no request", async () => {
  expect(await load()).toMatchObject({ same: true, complete: true, note: undefined });
  expect(Buffer.from(dataFile()).equals(body)).toBe(true);
  await server.close();
  const again = await load();
  expect(again).toMatchObject({ same: true, complete: true, note: undefined });
  expect(again.identity).toBe(
    await weightsIdentity({ name: "m", size: body.length, read: async (o, n) => body.slice(o, o + n) }),
  );
});

test("each byte is fetched once, and by no more than three connections", async () => {
  await load();
  expect(server.sentBytes).toBeLessThanOrEqual(body.length + 256 * 1024);
  expect(server.mostAtOnce).toBeLessThanOrEqual(3);
});

test("a model that its header condemns costs the header only", async () => {
  const source = await open();
  await source.read(0, 256 * 1024);
  await source.read(256 * 1024, 100_000);
  source.close();
  expect(server.sentBytes).toBeLessThanOrEqual(256 * 1024 + 100_000);
});

test("read-ahead is one chunk", async () => {
  server.behaviour.body = new Uint8Array(5 * CHUNK_BYTES);
  const source = await open();
  source.startBody();
  await source.read(0, 1);
  await new Promise((later) => setTimeout(later, 300));
  expect(server.sentBytes).toBeLessThanOrEqual(2 * CHUNK_BYTES + 256 * 1024);
  source.close();
});

test("progress goes from what was kept to the whole file, and never back", async () => {
  const seen: DownloadProgress[] = [];
  await load({ onProgress: (progress) => seen.push(progress) });
  expect(seen[0]).toEqual({ bytes: 0, total: body.length, cachedBytes: 0 });
  expect(seen.at(-1)!.bytes).toBe(body.length);
  expect(seen.every(({ bytes }, i) => i === 0 || bytes > seen[i - 1]!.bytes)).toBe(true);
  expect(seen.length).toBeLessThan(60);
  const kept: DownloadProgress[] = [];
  await load({ onProgress: (progress) => kept.push(progress) });
  expect(kept).toEqual([{ bytes: body.length, total: body.length, cachedBytes: body.length }]);
});

test("an incomplete file is resumed at the cost of one chunk at most", async () => {
  const first = await open();
  first.startBody();
  await first.read(0, CHUNK_BYTES);
  first.close();
  expect(await listCached(fakeDirectory(disk))).toMatchObject([{ complete: false }]);
  const before = server.sentBytes;
  expect(await load()).toMatchObject({ same: true, complete: true });
  expect(server.sentBytes - before).toBeLessThanOrEqual(body.length - CHUNK_BYTES + 256 * 1024);
});

test.each<[string, () => object]>([
  ["another ETag", () => ({ etag: '"v2"' })],
  ["no ETag", () => ({ etag: undefined })],
  ["another length", () => ({ body: body.subarray(0, body.length - 1) })],
])("a part kept of a file that has %s now starts clean: no mix", async (_, change) => {
  const old = new Uint8Array(body.length).fill(7);
  server.behaviour.body = old;
  const first = await open();
  first.startBody();
  await first.read(0, CHUNK_BYTES);
  first.close();
  Object.assign(server.behaviour, { body, ...change() });
  await load();
  expect(Buffer.from(dataFile()).equals(server.behaviour.body)).toBe(true);
});

test.each(["", "{", "null", "[]", '{"format":2}', '{"format":1,"url":"x","size":-1}'])(
  "a manifest of %j starts clean",
  async (text) => {
    await load();
    const name = [...disk.files.keys()].find((name) => name.endsWith(".json"))!;
    disk.files.set(name, { bytes: new TextEncoder().encode(text), length: text.length, locked: false });
    expect(await load()).toMatchObject({ same: true, complete: true, note: undefined });
  },
);

test("flipped, zeroed and cut bytes are found before they are used, and only their chunks are fetched again", async () => {
  await load();
  for (let seed = 0; seed < 12; seed++) {
    const random = createRandom(seed);
    const bytes = dataFile();
    const at = random.below(bytes.length - 4096);
    if (seed % 3 === 0) bytes[at]! ^= 1 << random.below(8);
    else if (seed % 3 === 1) bytes.fill(0, at, at + 4096);
    else bytes.set(bytes.slice(0, 64), at);
    const before = server.sentBytes;
    expect(await load()).toMatchObject({ same: true, complete: true });
    expect(server.sentBytes - before).toBeGreaterThan(0);
    expect(server.sentBytes - before).toBeLessThanOrEqual(2 * (CHUNK_BYTES + 256 * 1024)); // a change may touch two chunks
    expect(Buffer.from(dataFile()).equals(body)).toBe(true);
  }
});

test("a file that was cut short is filled up again", async () => {
  await load();
  const name = [...disk.files.keys()].find((name) => name.endsWith(".gguf"))!;
  disk.file(name).length -= 100_000;
  const before = server.sentBytes;
  expect(await load()).toMatchObject({ same: true, complete: true });
  expect(server.sentBytes - before).toBeLessThan(CHUNK_BYTES + 512 * 1024);
});

test("a damaged copy whose file was replaced at its URL is source_changed, then loads clean", async () => {
  await load();
  dataFile()[5]! ^= 1;
  server.behaviour.etag = '"v2"';
  await expectError(load(), "source_changed");
  expect(disk.files.size).toBe(0);
  expect(await load()).toMatchObject({ same: true, complete: true });
});

const NO_SPACE = 2 ** 32 - 8;
const NOT_FOUND = 2 ** 32 - 4;

test.each<[string, Faults]>([
  ["the quota is used up at once", { quotaBytes: 1000 }],
  ["the quota is used up halfway", { quotaBytes: CHUNK_BYTES + 5000 }],
  ["the quota is used up at the manifest", { quotaBytes: CHUNK_BYTES + 700 }],
  ["write returns -8 unsigned", { returns: (operation) => (operation === "write" ? NO_SPACE : undefined) }],
  ["write returns -4 unsigned", { returns: (operation) => (operation === "write" ? NOT_FOUND : undefined) }],
  ["write returns 0", { returns: (operation) => (operation === "write" ? 0 : undefined) }],
  ["read returns -4 unsigned", { returns: (operation) => (operation === "read" ? NOT_FOUND : undefined) }],
  ["read returns 0", { returns: (operation) => (operation === "read" ? 0 : undefined) }],
  ["getSize returns 1.8e19", { returns: (operation) => (operation === "getSize" ? 1.8e19 : undefined) }],
  [
    "write throws QuotaExceededError",
    {
      before(operation) {
        if (operation === "write") throw new DOMException("full", "QuotaExceededError");
      },
    },
  ],
])("%s: the load goes on over the network and says so", async (_, faults) => {
  const result = await load({}, faults);
  expect(result).toMatchObject({ same: true, complete: false });
  expect(result.note).toMatch(/^not kept: ./);
  expect(await listCached(fakeDirectory(disk))).toEqual([]);
});

test("no storage in this browser: the load goes on over the network and says so", async () => {
  const source = await openCached(server.url, { sleep: async () => {} });
  expect(source.note).toMatch(/^not kept: /);
  expect(await source.read(CHUNK_BYTES - 5, 10)).toEqual(body.slice(CHUNK_BYTES - 5, CHUNK_BYTES + 5));
  await source.finish();
  expect(source.complete).toBe(false);
  source.close();
});

test("a second tab reads over the network while the first one fills, and from the disk afterwards", async () => {
  const first = await open();
  const second = await load();
  expect(second).toMatchObject({ same: true, complete: false });
  expect(second.note).toContain("another tab");
  await first.finish();
  const requests = server.requests.length;
  expect(await load()).toMatchObject({ same: true, complete: true, note: undefined }); // while the first is still open
  expect(server.requests.length).toBe(requests);
  first.close();
});

test("any one operation of the storage may fail, and the load has its bytes", async () => {
  let fired = true;
  let swept = 0;
  for (let n = 1; fired; n++) {
    fired = false;
    disk = new FakeDisk();
    const result = await load(
      {},
      {
        before(_, count) {
          if (count !== n) return;
          fired = true;
          throw new Error(`operation ${n} failed`);
        },
      },
    );
    expect([n, result.same]).toEqual([n, true]);
    expect(result.complete || result.note !== undefined).toBe(true);
    swept = n;
  }
  expect(swept).toBeGreaterThan(10);
});

test("a crash at any operation leaves what can be resumed, never what is wrong", async () => {
  for (let n = 1; n < 16; n++) {
    disk = new FakeDisk();
    const dying = load(
      {},
      {
        before(operation, count) {
          if (count < n) return;
          if (operation === "write" && count === n) dataFile().fill(0xee); // torn: other bytes than were written
          throw new Error("crashed");
        },
      },
    );
    await dying;
    disk.unlock();
    expect([n, await load()]).toMatchObject([n, { same: true, complete: true, note: undefined }]);
    expect(Buffer.from(dataFile()).equals(body)).toBe(true);
  }
});

test("the expected SHA-256 is checked, and remembered", async () => {
  expect(await load({ expected: { sha256 } })).toMatchObject({ same: true, complete: true });
  await server.close();
  expect(await load({ expected: { sha256 } })).toMatchObject({ same: true, complete: true });
});

test("a copy kept without a published SHA-256 is checked when one is named", async () => {
  await load();
  await server.close();
  expect(await load({ expected: { sha256: sha256.toUpperCase() } })).toMatchObject({ same: true, complete: true });
});

test("a file with another SHA-256 than expected is refused and removed", async () => {
  await expectError(load({ expected: { sha256: "0".repeat(64) } }), "integrity_mismatch");
  expect(disk.files.size).toBe(0);
});

test("the expected SHA-256 is checked where nothing is kept, without a second download", async () => {
  const faults = { quotaBytes: 100 };
  expect(await load({ expected: { sha256 } }, faults)).toMatchObject({ same: true, complete: false });
  expect(server.sentBytes).toBeLessThanOrEqual(body.length + CHUNK_BYTES);
  await expectError(load({ expected: { sha256: "0".repeat(64) } }, faults), "integrity_mismatch");
});

test("what is kept can be listed and deleted", async () => {
  await load();
  const directory = fakeDirectory(disk);
  expect(await listCached(directory)).toEqual([
    { url: server.url, size: body.length, keptBytes: body.length, complete: true },
  ]);
  await deleteCached(server.url, directory);
  expect(disk.files.size).toBe(0);
  await deleteCached(server.url, directory); // nothing there: nothing to do
});

test("an aborted read rejects, and the next one works", async () => {
  const source = await open();
  source.startBody();
  const controller = new AbortController();
  const reading = source.read(0, 100, controller.signal);
  controller.abort();
  await expectError(reading, "aborted");
  expect(await source.read(0, 100)).toEqual(body.slice(0, 100));
  source.close();
  await expectError(source.read(0, 100), "aborted");
});

test("a lost network is download_failed; what arrived before is kept", async () => {
  server.behaviour.body = new Uint8Array(4 * CHUNK_BYTES);
  const source = await open({ retries: 1 });
  source.startBody();
  await source.read(0, 100);
  await server.close();
  await expectError(source.read(3 * CHUNK_BYTES, 100), "download_failed");
  source.close();
  const [kept] = await listCached(fakeDirectory(disk));
  expect(kept!.keptBytes).toBeGreaterThanOrEqual(CHUNK_BYTES);
});

test("the identity is the SHA-256 of the chunks' digests", async () => {
  const hash = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest();
  const digests = Array.from({ length: CHUNKS }, (_, i) => hash(body.subarray(i * CHUNK_BYTES, (i + 1) * CHUNK_BYTES)));
  const identity = hash(Buffer.concat(digests)).toString("hex");
  expect(await identityOf(digests.map((digest) => digest.toString("hex")))).toBe(identity);
  expect((await load()).identity).toBe(identity);
});
