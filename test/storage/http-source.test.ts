// Reading over HTTP from a server that misbehaves: the right bytes, or a typed error, never a mix of versions.

import { afterEach, beforeEach, expect, test } from "vitest";
import { type ErrorCode, isEngineError } from "../../src/base/errors.ts";
import { type HttpOptions, httpSource } from "../../src/storage/http-source.ts";
import { createRandom } from "../fixtures/random.ts";
import { type HostileServer, startHostileServer } from "./hostile-server.ts";

const MIB = 1024 * 1024;
const random = createRandom(11);
const body = new Uint8Array(9 * MIB + 123).map(() => random.uint32());
let server: HostileServer;
const waits: number[] = [];
const options: HttpOptions = { sleep: async (ms) => void waits.push(ms), stallMs: 2000 };

beforeEach(async () => {
  server = await startHostileServer(body);
  waits.length = 0;
});
afterEach(() => server.close());

const expectError = async (promise: Promise<unknown>, code: ErrorCode) => {
  const error = await promise.then(
    () => new Error("accepted"),
    (reason: unknown) => reason,
  );
  if (!isEngineError(error, code)) throw error;
  return error;
};
/** Far faster than toEqual, which looks at one element after another. */
const expectBytes = (actual: Uint8Array, expected: Uint8Array) =>
  expect(Buffer.compare(actual, expected), "bytes differ").toBe(0);
const readAll = async () => {
  const source = await httpSource(server.url, options);
  return source.read(0, source.size);
};

test("opening costs one request of 256 KiB, and reads inside of it none", async () => {
  const source = await httpSource(server.url, options);
  expect([source.size, source.version, source.name]).toEqual([body.length, '"v1"', "tiny model.gguf"]);
  expectBytes(await source.read(100_000, 1000), body.slice(100_000, 101_000));
  expect(server.requests.map(({ range }) => range)).toEqual(["bytes=0-262143"]);
});

test("a long read is made of requests of 4 MiB, at most three at once", async () => {
  expectBytes(await readAll(), body);
  expect(server.requests.length).toBe(4);
  expect(server.mostAtOnce).toBeLessThanOrEqual(3);
});

test("reads at any place give the bytes of that place", async () => {
  const source = await httpSource(server.url, options);
  for (const [offset, length] of [[0, 1], [262_140, 10], [5 * MIB, 77], [body.length - 1, 1], [body.length, 0]] as const) {
    expectBytes(await source.read(offset, length), body.slice(offset, offset + length));
  } // biome-ignore format: one list
});

test("a file shorter than the first request is whole with it", async () => {
  server.behaviour.body = body.subarray(0, 1000);
  expectBytes(await readAll(), body.slice(0, 1000));
  expect(server.requests.length).toBe(1);
});

test("a server that knows no ranges is read once when read in order, and again when it must go back", async () => {
  server.behaviour.ranges = false;
  const source = await httpSource(server.url, options);
  expectBytes(await source.read(0, 5 * MIB), body.slice(0, 5 * MIB));
  expectBytes(await source.read(6 * MIB, 2 * MIB), body.slice(6 * MIB, 8 * MIB));
  expect(server.requests.length).toBe(1);
  expectBytes(await source.read(MIB, 1000), body.slice(MIB, MIB + 1000));
  expect(server.requests.length).toBe(2);
  source.close();
});

test.each([404, 403, 410, 401])("status %i fails at once", async (status) => {
  server.behaviour.statuses = [status];
  const error = await expectError(httpSource(server.url, options), "download_failed");
  expect(error.details).toMatchObject({ url: server.url, status });
  expect(server.requests.length).toBe(1);
});

test.each([500, 503, 429, 408])("status %i is tried again, after longer and longer waits", async (status) => {
  server.behaviour.statuses = [status, status, status];
  expectBytes(await readAll(), body);
  expect(waits.length).toBe(3);
  expect(waits[1]!).toBeGreaterThan(waits[0]!);
  expect(waits[2]!).toBeGreaterThan(waits[1]!);
});

test("a server that stays broken fails after five retries, with its status", async () => {
  const source = await httpSource(server.url, options);
  server.behaviour.statuses = Array.from({ length: 100 }, () => 502);
  const error = await expectError(source.read(MIB, 1000), "download_failed");
  expect(error.details).toMatchObject({ status: 502 });
  expect(server.requests.length).toBe(1 + 6);
});

test("a server that is gone fails with download_failed", async () => {
  await server.close();
  await expectError(httpSource(server.url, { ...options, retries: 1 }), "download_failed");
});

test("a web page with status 200 is refused", async () => {
  server.behaviour.contentType = "text/html; charset=utf-8";
  server.behaviour.ranges = false;
  const error = await expectError(httpSource(server.url, options), "download_failed");
  expect(error.message).toContain("web page");
});

test("twenty cut connections cost no byte twice but what was on the way", async () => {
  const source = await httpSource(server.url, options);
  server.behaviour.cuts = Array.from({ length: 20 }, () => 300_000);
  expectBytes(await source.read(0, source.size), body);
  expect(server.sentBytes).toBeLessThanOrEqual(body.length + 20 * 300_000);
  expect(server.requests.length).toBeGreaterThan(20);
});

test("connections that break off without a byte fail in the end", async () => {
  const source = await httpSource(server.url, options);
  server.behaviour.cuts = Array.from({ length: 100 }, () => 0);
  await expectError(source.read(MIB, MIB), "download_failed");
});

test("an answer that stalls is given up and tried again", async () => {
  const source = await httpSource(server.url, { ...options, stallMs: 50 });
  server.behaviour.stalls = 2;
  expectBytes(await source.read(MIB, 1000), body.slice(MIB, MIB + 1000));
  expect(waits.length).toBe(2);
});

test("a file whose ETag changes in mid-read is source_changed", async () => {
  const source = await httpSource(server.url, options);
  server.behaviour.etag = '"v2"';
  await expectError(source.read(MIB, 1000), "source_changed");
});

test("a file whose length changes is source_changed, ETag or not", async () => {
  server.behaviour.etag = undefined;
  const source = await httpSource(server.url, options);
  server.behaviour.body = body.subarray(0, 8 * MIB);
  await expectError(source.read(MIB, 1000), "source_changed");
});

test.each([
  ["of another place", `bytes 0-999/${body.length}`],
  ["of another length", `bytes ${MIB}-${MIB + 10}/${body.length}`],
  ["that makes no sense", "bytes 5-4/3"],
  ["that is no range", "octets"],
])("an answer with a range %s is never taken", async (_, contentRange) => {
  const source = await httpSource(server.url, { ...options, retries: 2 });
  server.behaviour.contentRange = contentRange;
  await expectError(source.read(MIB, 1000), "download_failed");
});

test("a server that ceases to serve ranges fails, and does not send the file again and again", async () => {
  const source = await httpSource(server.url, { ...options, retries: 2 });
  server.behaviour.ranges = false;
  await expectError(source.read(MIB, 1000), "download_failed");
});

test("a body longer than announced by its range is cut to what was asked", async () => {
  const source = await httpSource(server.url, options);
  server.behaviour.hideLength = true;
  expectBytes(await source.read(MIB, 1000), body.slice(MIB, MIB + 1000));
});

test("a server that hides Content-Range is asked for the length by HEAD", async () => {
  server.behaviour.hideRange = true;
  expectBytes(await readAll(), body);
  expect(server.requests.map(({ method }) => method)).toContain("HEAD");
});

test("a server that tells no length at all is refused", async () => {
  server.behaviour.ranges = false;
  server.behaviour.hideLength = true;
  await expectError(httpSource(server.url, { ...options, retries: 0 }), "download_failed");
});

test("an empty file is refused", async () => {
  server.behaviour.body = new Uint8Array(0);
  await expectError(httpSource(server.url, { ...options, retries: 0 }), "download_failed");
});

test("an abort ends a read that hangs", async () => {
  const source = await httpSource(server.url, options);
  server.behaviour.stalls = 1;
  const controller = new AbortController();
  const reading = source.read(MIB, 1000, controller.signal);
  setTimeout(() => controller.abort(), 20);
  await expectError(reading, "aborted");
});
