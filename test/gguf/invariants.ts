// What must hold of every file that the reader accepts, checked from the outside, without the reader's own code.

import { expect } from "vitest";
import type { Gguf } from "../../src/gguf/gguf.ts";
import { StringArray } from "../../src/gguf/metadata.ts";
import type { CountingSource } from "./counting-source.ts";

const MIB = 1024 * 1024;

export function expectSound(gguf: Gguf, source: CountingSource): void {
  const alignment = gguf.metadata.number("general.alignment") ?? 32;
  const problems: string[] = [];
  const check = (holds: boolean, what: string) => {
    if (!holds) problems.push(what);
  };
  check([8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536].includes(alignment), "alignment");
  check(gguf.version === 2 || gguf.version === 3, "version");
  check(gguf.metadata.size <= 4096, "keys");
  check(gguf.tensors.size <= 65536, "tensors");
  for (const key of gguf.metadata.keys()) {
    check(key.length > 0, "empty key");
    const value = gguf.metadata.get(key)!;
    if (typeof value === "string") check(value.length <= MIB, `length of ${key}`);
    if (value instanceof StringArray) {
      check(value.length <= 2 * MIB && value.byteLength <= 64 * MIB, `items of ${key}`);
      for (let i = 0; i < value.length; i += Math.ceil(value.length / 50)) value.at(i);
      if (value.length > 0) value.at(value.length - 1);
    }
    if (ArrayBuffer.isView(value) || Array.isArray(value)) check(value.length <= 2 * MIB, `items of ${key}`);
    if (ArrayBuffer.isView(value)) check(value.byteLength <= 64 * MIB, `bytes of ${key}`);
  }
  const ranges = [...gguf.tensors.values()].sort((a, b) => a.offset - b.offset);
  ranges.forEach(({ name, shape, offset, byteLength, blockLength, blockBytes }, i) => {
    check(name.length > 0 && shape.length >= 1 && shape.length <= 4, `shape of ${name}`);
    check(
      shape.every((size) => Number.isSafeInteger(size) && size > 0),
      `shape of ${name}`,
    );
    const elements = shape.reduce((product, size) => product * BigInt(size), 1n);
    check(elements % BigInt(blockLength) === 0n && shape[0]! % blockLength === 0, `row of ${name}`);
    check((elements / BigInt(blockLength)) * BigInt(blockBytes) === BigInt(byteLength), `bytes of ${name}`);
    check(offset >= gguf.files[0]!.dataOffset && offset + byteLength <= source.size, `range of ${name}`);
    check((offset - gguf.files[0]!.dataOffset) % alignment === 0 && offset % alignment === 0, `alignment of ${name}`);
    const next = ranges[i + 1];
    check(!next || offset + byteLength <= next.offset, `${name} overlaps ${next?.name}`);
  });
  expect(problems).toEqual([]);
}

/** Work and memory: each byte is asked for at most once, and never more than the largest header. */
export function expectBounded(source: CountingSource): void {
  expect(source.asked).toBeLessThanOrEqual(Math.min(source.size, 64 * MIB));
  expect(source.largest).toBeLessThanOrEqual(2 * MIB * 8 + 4 * MIB); // the longest array of the widest items, and a piece
}
