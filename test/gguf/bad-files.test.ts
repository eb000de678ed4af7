// The catalogue of bad files: every kind, at twenty seeds each, is refused by the rule that it breaks, at a place in the file.
// The kinds of llama.cpp's tests/test-gguf.cpp (written anew), with those of our own limits.

import { expect, test } from "vitest";
import { EngineError, isEngineError } from "../../src/base/errors.ts";
import { readGguf } from "../../src/gguf/gguf.ts";
import type { Rule } from "../../src/gguf/rules.ts";
import { createRandom, type Random } from "../fixtures/random.ts";
import { countingSource } from "./counting-source.ts";
import { expectBounded, expectSound } from "./invariants.ts";
import { alignmentPair, arrayPair, emit, payload, type RawFile, randomFile, scalarPair } from "./raw-gguf.ts";

const SEEDS = 20;
const HUGE = [-1n, 2n ** 63n, 2n ** 63n - 1n, 2n ** 53n, 2n ** 40n];

/** Changes a valid file into a bad one; it may also give the bytes itself. */
type Kind = [name: string, rules: Rule | Rule[], spoil: (file: RawFile, random: Random) => Uint8Array | undefined];

const pairOf = (file: RawFile, random: Random) => random.pick(file.pairs);
const tensorOf = (file: RawFile, random: Random) => random.pick(file.tensors);
const F32 = 0;
const Q4_0 = 2;

const KINDS: Kind[] = [
  ["header: empty file", "magic", () => new Uint8Array(0)],
  ["header: three bytes", "magic", () => new TextEncoder().encode("GGU")],
  ["header: bad magic", "magic", (file) => {
file.magic = "FUGG";
}],
  ["header: a web page", "magic", (file) => {
file.magic = "<htm";
}],
  ["header: version 0", "version", (file) => {
file.version = 0;
}],
  ["header: version 1", "version", (file) => {
file.version = 1;
}],
  ["header: future version", "version", (file, random) => {
file.version = 4 + random.below(1000);
}],
  ["header: big-endian", "byte-order", (file, random) => {
file.version = (2 + random.below(2)) << 24;
}],
  ["header: huge tensor count", "tensor-count", (file, random) => {
file.tensorCount = random.pick(HUGE);
}],
  ["header: 65,537 tensors", "tensor-count", (file) => {
file.tensorCount = 65_537n;
}],
  ["header: huge pair count", "key-count", (file, random) => {
file.pairCount = random.pick(HUGE);
}],
  ["header: 4,097 pairs", "key-count", (file) => {
file.pairCount = 4097n;
}],
  ["header: more pairs than bytes", "truncated", (file) => {
    file.pairs.length = 1;
    file.tensors = [];
    file.dataBytes = 0;
    file.pairCount = 4096n;
  }],
  ["pair: huge key length", "key-length", (file, random) => {
pairOf(file, random).keyLength = random.pick(HUGE);
}],
  ["pair: key longer than 65,535 bytes", "key-length", (file, random) => {
pairOf(file, random).keyLength = 65_536n;
}],
  ["pair: empty key", "key-length", (file, random) => {
pairOf(file, random).key = "";
}],
  ["pair: key not UTF-8", "key-text", (file, random) => {
pairOf(file, random).key = Uint8Array.of(0x61, 0xff);
}],
  ["pair: unknown type", "value-type", (file, random) => {
pairOf(file, random).type = 13 + random.below(2 ** 20);
}],
  ["pair: duplicate key", "key-unique", (file, random) => void file.pairs.push({ ...pairOf(file, random) })],
  ["pair: bool of 2", "boolean", (file) => void file.pairs.push({ key: "b", type: 7, payload: Uint8Array.of(2) })],
  ["pair: bool array with a 255", "boolean", (file) => void file.pairs.push(arrayPair("b", 7, 3, Uint8Array.of(1, 0, 255)))],
  ["pair: huge string", "string-length", (file, random) => void file.pairs.push(longString("s", random.pick(HUGE)))],
  ["pair: string over 1 MiB", "string-length", (file) => void file.pairs.push(longString("s", 2n ** 20n + 1n))],
  ["pair: template over 256 KiB", "template-length", (file) =>
    void file.pairs.push(longString("tokenizer.chat_template", 2n ** 18n + 1n))],
  ["pair: string beyond the end", "truncated", (file) => {
    file.tensors = [];
    file.dataBytes = 0;
    file.pairs.push(longString("s", 2n ** 19n));
  }],
  ["array: huge count", "array-length", (file, random) =>
    void file.pairs.push(arrayPair("a", random.pick([0, 4, 8, 10]), BigInt.asUintN(64, random.pick(HUGE)), new Uint8Array(64)))],
  ["array: 2,097,153 items", "array-length", (file) => void file.pairs.push(arrayPair("a", 0, 2_097_153, new Uint8Array(8)))],
  ["array: more items than bytes", "truncated", (file, random) =>
    void file.pairs.push(arrayPair("a", random.pick([4, 8, 12]), 2_000_000, new Uint8Array(64)))],
  ["array: of arrays", "array-nested", (file) => void file.pairs.push(arrayPair("a", 9, 1, new Uint8Array(64)))],
  ["array: of unknown type", "value-type", (file, random) =>
    void file.pairs.push(arrayPair("a", 13 + random.below(99), 1, new Uint8Array(64)))],
  ["array: huge string inside", "string-length", (file, random) =>
    void file.pairs.push(arrayPair("a", 8, 1, longString("", random.pick(HUGE)).payload))],
  ["array: token over 4 KiB", "piece-length", (file, random) =>
    void file.pairs.push(arrayPair(`tokenizer.ggml.${random.pick(["tokens", "merges"])}`, 8, 1, longString("", 4097n).payload))],
  ["alignment: of another type", "alignment", (file, random) =>
    void file.pairs.push(alignmentPair(32, random.pick(["int32", "uint64", "uint16", "float32", "bool"])))],
  ["alignment: a string", "alignment", (file) => void file.pairs.push(scalarPair("general.alignment", "string", "32"))],
  ["alignment: not a power of two", "alignment", (file, random) =>
    void file.pairs.push(alignmentPair(random.pick([0, 9, 13, 24, 33, 65_535])))],
  ["alignment: too small", "alignment", (file, random) => void file.pairs.push(alignmentPair(random.pick([1, 2, 4])))],
  ["alignment: too large", "alignment", (file, random) => void file.pairs.push(alignmentPair(2 ** (17 + random.below(15))))],
  ["tensor: huge name length", "tensor-name-length", (file, random) => {
tensorOf(file, random).nameLength = random.pick(HUGE);
}],
  ["tensor: name of 64 bytes", "tensor-name-length", (file, random) => {
tensorOf(file, random).name = "n".repeat(64);
}],
  ["tensor: empty name", "tensor-name-length", (file, random) => {
tensorOf(file, random).name = "";
}],
  ["tensor: name not UTF-8", "tensor-name-text", (file, random) => {
tensorOf(file, random).name = Uint8Array.of(0xc0);
}],
  ["tensor: duplicate name", "tensor-name-unique", (file) => {
file.tensors[1]!.name = file.tensors[0]!.name;
}],
  ["tensor: no dimensions", "tensor-dimensions", (file, random) => {
tensorOf(file, random).dimensions = [];
}],
  ["tensor: five or more dimensions", "tensor-dimensions", (file, random) => {
tensorOf(file, random).dimensionCount = 5 + random.below(2 ** 30);
}],
  ["tensor: negative dimensions", "tensor-shape", (file, random) => {
    const tensor = tensorOf(file, random);
    tensor.dimensions = tensor.dimensions.map(() => -1n);
  }],
  ["tensor: a dimension of 0", "tensor-shape", (file, random) => {
    const { dimensions } = tensorOf(file, random);
    dimensions[random.below(dimensions.length)] = 0n;
  }],
  ["tensor: too many elements", "tensor-shape", (file, random) => {
tensorOf(file, random).dimensions = [2n ** 33n, 2n ** 33n];
}],
  ["tensor: elements wrap to few", "tensor-shape", (file, random) => {
tensorOf(file, random).dimensions = [2n ** 32n, 2n ** 32n, 1n];
}],
  ["tensor: too many bytes", "tensor-range", (file, random) =>
    void Object.assign(tensorOf(file, random), { dimensions: [2n ** 50n], type: 28 })],
  ["tensor: unknown type", "tensor-type", (file, random) => {
tensorOf(file, random).type = random.pick([43, 100, 2 ** 31, 2 ** 32 - 1]);
}],
  ["tensor: removed type", "tensor-type", (file, random) => {
tensorOf(file, random).type = random.pick([4, 5, 31, 32, 33, 36, 37, 38]);
}],
  ["tensor: row of a part of a block", "tensor-row", (file, random) =>
    void Object.assign(tensorOf(file, random), { type: Q4_0, dimensions: [BigInt(33 + random.below(31)), 32n] })],
  ["tensor: huge offset", ["tensor-range", "tensor-alignment"], (file, random) => {
tensorOf(file, random).offset = random.pick([-1n, -32n, 2n ** 60n, 2n ** 53n]);
}],
  ["tensor: unaligned offset", "tensor-alignment", (file, random) => {
tensorOf(file, random).offset += BigInt(1 + random.below(31));
}],
  ["tensor: another alignment than announced", "tensor-alignment", (file) => {
    Object.assign(file.tensors[0]!, { type: F32, dimensions: [8n] }); // 32 bytes, then the next at 32 where 64 is asked for
    file.tensors = [file.tensors[0]!, { name: "second", dimensions: [8n], type: F32, offset: 32n }];
    file.pairs.push(alignmentPair(64));
    file.alignment = 64;
    file.dataBytes = 128;
  }],
  ["tensor: two at one place", "tensor-overlap", (file, random) => {
    const at = 1 + random.below(file.tensors.length - 1);
    file.tensors[at]!.offset = file.tensors[at - 1]!.offset;
    file.dataBytes *= 2; // there is room enough: only the place is wrong
  }],
  ["tensor: one inside of another", "tensor-overlap", (file) => {
    file.tensors = [
      { name: "outer", dimensions: [64n], type: F32, offset: 0n },
      { name: "inner", dimensions: [8n], type: F32, offset: 128n },
    ];
    file.dataBytes = 256;
  }],
  ["data: none", "tensor-range", (file) => {
file.dataBytes = 0;
}],
  ["data: too little", "tensor-range", (file) => {
    file.tensors = [{ name: "one", dimensions: [64n], type: F32, offset: 0n }];
    file.dataBytes = 255;
  }],
  ["data: two whose sum wraps", "tensor-shape", (file) => {
    file.tensors = [0n, 0x7fffffffffffffc0n].map((offset, i) => ({
      name: `${i}`,
      dimensions: [0x7fffffffffffffc0n],
      type: 24,
      offset,
    }));
  }],
  ["file: cut inside the header", ["truncated", "magic"], (file, random) => {
    const whole = emit({ ...file, dataBytes: 0 });
    return whole.subarray(0, random.below(whole.length - 64));
  }],
]; // biome-ignore format: one kind an entry, the change beside its name

function longString(key: string, length: bigint) {
  return { key, type: 8, payload: payload((writer) => writer.uint64(BigInt.asUintN(64, length))) };
}

test.each(KINDS)("%s", async (name, rules, spoil) => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const random = createRandom(seed * 7919 + name.length);
    const file = randomFile(random);
    const bytes = spoil(file, random) ?? emit(file);
    const source = countingSource(bytes);
    const error = await readGguf(source).then(
      () => new Error(`seed ${seed} was accepted`),
      (reason: unknown) => reason as Error,
    );
    if (!isEngineError(error, "model_malformed")) throw error;
    expect([rules].flat()).toContain(error.details!.rule);
    expect(error.details!.offset).toBeGreaterThanOrEqual(0);
    expect(error.details!.offset).toBeLessThanOrEqual(bytes.length);
    expect(error.message).toContain(`byte ${error.details!.offset}`);
    expect(error.message).toContain(error.details!.rule);
    expectBounded(source);
  }
});

test("the catalogue has at least the 33 kinds of llama.cpp's", () => {
  expect(KINDS.length).toBeGreaterThanOrEqual(33);
  expect(new Set(KINDS.map(([name]) => name)).size).toBe(KINDS.length);
});

test.each([8, 16, 32, 64, 4096, 65_536])("files with alignment %i are accepted", async (alignment) => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const file = randomFile(createRandom(seed), alignment);
    const source = countingSource(emit(file));
    const gguf = await readGguf(source);
    expectSound(gguf, source);
    expect(gguf.tensors.size).toBe(file.tensors.length);
    expect(gguf.metadata.size).toBe(file.pairs.length);
  }
});

test("EngineError is what a refusal is", async () => {
  await expect(readGguf(countingSource(new Uint8Array(3)))).rejects.toBeInstanceOf(EngineError);
});
