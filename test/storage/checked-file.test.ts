// Whatever number a sync handle returns, no wrong count is ever believed.

import { expect, test } from "vitest";
import { isEngineError } from "../../src/base/errors.ts";
import { CheckedFile, type SyncHandle } from "../../src/storage/checked-file.ts";

const handle = (result: number): SyncHandle => ({
  read: () => result,
  write: () => result,
  getSize: () => result,
  truncate: () => {},
  flush: () => {},
  close: () => {},
});
const BAD = [2 ** 32 - 8, 2 ** 32 - 4, -1, -8, Number.NaN, 101, 0.5, 1.8e19, Number.POSITIVE_INFINITY];

test.each(BAD)("a return of %d is an error of read and write", (result) => {
  const file = new CheckedFile(handle(result));
  for (const task of [() => file.read(0, 100), () => file.write(new Uint8Array(100), 0)]) {
    let error: unknown;
    try {
      task();
    } catch (reason) {
      error = reason;
    }
    expect(isEngineError(error, "storage_unavailable") || isEngineError(error, "quota_exceeded")).toBe(true);
  }
});

test.each([-1, Number.NaN, 0.5, 1.8e19])("a size of %d is an error", (result) => {
  expect(() => new CheckedFile(handle(result)).size()).toThrow(/getSize returned/);
});

test("the code for a full disk is quota_exceeded with the bytes that found no room", () => {
  try {
    new CheckedFile(handle(2 ** 32 - 8)).write(new Uint8Array(100), 0);
    expect.unreachable();
  } catch (error) {
    if (!isEngineError(error, "quota_exceeded")) throw error;
    expect(error.details).toEqual({ neededBytes: 100 });
  }
});

test("reads and writes in small pieces are put together", () => {
  const disk = new Uint8Array(10);
  const file = new CheckedFile({
    ...handle(0),
    read(buffer, { at }) {
      const count = Math.min(3, buffer.length);
      buffer.set(disk.subarray(at, at + count));
      return count;
    },
    write(buffer, { at }) {
      const count = Math.min(4, buffer.length);
      disk.set(buffer.subarray(0, count), at);
      return count;
    },
  });
  file.write(Uint8Array.of(1, 2, 3, 4, 5, 6, 7), 2);
  expect([...disk]).toEqual([0, 0, 1, 2, 3, 4, 5, 6, 7, 0]);
  expect([...file.read(1, 8)]).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
});
