// The reader on valid files: every type of value, both versions, small reads, and nothing fetched that is not needed.

import { expect, test } from "vitest";
import { isEngineError } from "../../src/base/errors.ts";
import { readGguf } from "../../src/gguf/gguf.ts";
import { StringArray } from "../../src/gguf/metadata.ts";
import { TENSOR_TYPES, tensorType } from "../../src/gguf/tensor-types.ts";
import { memorySource } from "../../src/storage/byte-source.ts";
import { byteLengthOf, type WriterValue, writeGguf } from "../fixtures/gguf-writer.ts";
import { countingSource } from "./counting-source.ts";

const read = (metadata: Record<string, WriterValue>, version = 3) =>
  readGguf(memorySource(writeGguf({ version, metadata })));

const SCALARS: [WriterValue, unknown][] = [
  [{ type: "uint8", value: 255 }, 255],
  [{ type: "int8", value: -128 }, -128],
  [{ type: "uint16", value: 65_535 }, 65_535],
  [{ type: "int16", value: -32_768 }, -32_768],
  [{ type: "uint32", value: 4_294_967_295 }, 4_294_967_295],
  [{ type: "int32", value: -2_147_483_648 }, -2_147_483_648],
  [{ type: "float32", value: 0.5 }, 0.5],
  [{ type: "bool", value: true }, true],
  [{ type: "bool", value: false }, false],
  [{ type: "string", value: "h\u00e9llo \u{1f600}" }, "h\u00e9llo \u{1f600}"],
  [{ type: "uint64", value: 2n ** 53n - 1n }, 2 ** 53 - 1],
  [{ type: "uint64", value: 2n ** 64n - 1n }, 2n ** 64n - 1n],
  [{ type: "int64", value: -5n }, -5],
  [{ type: "int64", value: -(2n ** 63n) }, -(2n ** 63n)],
  [{ type: "float64", value: 0.1 }, 0.1],
];

test.each([2, 3])("version %i: scalars of all types", async (version) => {
  const { metadata, version: found } = await read(
    Object.fromEntries(SCALARS.map(([value], i) => [`k${i}`, value])),
    version,
  );
  expect(found).toBe(version);
  expect(SCALARS.map((_, i) => metadata.get(`k${i}`))).toEqual(SCALARS.map(([, expected]) => expected));
});

const ARRAYS: [WriterValue, unknown][] = [
  [{ array: "uint8", items: [1, 255] }, Uint8Array.of(1, 255)],
  [{ array: "int8", items: [-1, 127] }, Int8Array.of(-1, 127)],
  [{ array: "uint16", items: [1, 65_535] }, Uint16Array.of(1, 65_535)],
  [{ array: "int16", items: [-1] }, Int16Array.of(-1)],
  [{ array: "uint32", items: [2 ** 32 - 1] }, Uint32Array.of(2 ** 32 - 1)],
  [{ array: "int32", items: [-7, 7] }, Int32Array.of(-7, 7)],
  [{ array: "float32", items: [0.5, -2] }, Float32Array.of(0.5, -2)],
  [{ array: "float64", items: [0.1] }, Float64Array.of(0.1)],
  [{ array: "bool", items: [true, false, true] }, [true, false, true]],
  [{ array: "uint64", items: [1n, 2n ** 53n - 1n] }, Float64Array.of(1, 2 ** 53 - 1)],
  [{ array: "uint64", items: [2n ** 60n] }, BigUint64Array.of(2n ** 60n)],
  [{ array: "int64", items: [-3n] }, Float64Array.of(-3)],
  [{ array: "float32", items: [] }, new Float32Array(0)],
];

test("arrays of all types", async () => {
  const { metadata } = await read(Object.fromEntries(ARRAYS.map(([value], i) => [`k${i}`, value])));
  expect(ARRAYS.map((_, i) => metadata.get(`k${i}`))).toEqual(ARRAYS.map(([, expected]) => expected));
});

test("strings keep a byte order mark, and bytes that are no UTF-8", async () => {
  const items = ["", "\ufeff//", "plain", "\u{1f600}"];
  const { metadata } = await read({ s: { array: "string", items }, after: 7 });
  const strings = metadata.strings("s")!;
  expect(strings).toBeInstanceOf(StringArray);
  expect([...strings]).toEqual(items);
  expect([...strings.bytes(1)]).toEqual([0xef, 0xbb, 0xbf, 0x2f, 0x2f]);
  expect(() => strings.at(4)).toThrow(RangeError);
  expect(metadata.number("after")).toBe(7);
});

test("keys of Object.prototype are keys like any other", async () => {
  const { metadata } = await read({ ["__proto__"]: "a", constructor: "b", toString: "c" });
  expect([...metadata.keys()].sort()).toEqual(["__proto__", "constructor", "toString"].sort());
  expect(metadata.has("hasOwnProperty")).toBe(false);
  expect(metadata.string("constructor")).toBe("b");
});

test("tensors lie where the file says, in all formats of GGML", async () => {
  const tensors = [...TENSOR_TYPES.values()].map(({ name, blockLength }, i) => ({
    name: `t${i}.weight`,
    shape: [blockLength * (1 + (i % 3)), 1 + (i % 5)],
    format: name,
    data: new Uint8Array(byteLengthOf({ shape: [blockLength * (1 + (i % 3)), 1 + (i % 5)], format: name })).fill(i + 1),
  }));
  const bytes = writeGguf({ tensors, alignment: 64 });
  const gguf = await readGguf(memorySource(bytes));
  expect([...gguf.tensors.keys()]).toEqual(tensors.map(({ name }) => name));
  for (const { name, shape, format, data } of tensors) {
    const tensor = gguf.tensors.get(name)!;
    const { blockLength, blockBytes } = tensorType(format);
    expect(tensor).toMatchObject({ name, shape, format, blockLength, blockBytes, file: 0, byteLength: data.length });
    expect(bytes.subarray(tensor.offset, tensor.offset + tensor.byteLength)).toEqual(data);
  }
});

test("a model of gigabytes costs one read of 256 KiB when its header is small", async () => {
  const header = writeGguf({
    metadata: { "general.architecture": "llama" },
    tensors: [{ name: "w", shape: [1024, 8], format: "F32" }],
  }).subarray(0, 192);
  const view = new DataView(header.buffer);
  const shapeAt = new TextDecoder("latin1").decode(header).lastIndexOf("w") + 5;
  view.setBigUint64(shapeAt + 8, 2n ** 20n, true); // 4 GiB of weights
  const source = countingSource(header, 2 ** 32 + 192);
  const { tensors } = await readGguf(source);
  expect(tensors.get("w")!.byteLength).toBe(2 ** 32);
  expect([source.reads, source.asked]).toEqual([1, 256 * 1024]);
});

test("a header of megabytes is read once, in growing pieces, and no further than 4 MiB beyond its end", async () => {
  const items = Array.from({ length: 300_000 }, (_, i) => `token number ${i}`);
  const header = writeGguf({ metadata: { "tokenizer.ggml.tokens": { array: "string", items }, last: "value" } });
  const source = countingSource(header, 2 ** 30);
  const { metadata } = await readGguf(source);
  expect(metadata.strings("tokenizer.ggml.tokens")!.at(299_999)).toBe("token number 299999");
  expect(metadata.string("last")).toBe("value");
  expect(source.asked).toBeLessThanOrEqual(header.length + 4 * 2 ** 20);
  expect(source.reads).toBeLessThanOrEqual(8);
});

test("the read of a header stops when it is aborted", async () => {
  const signal = AbortSignal.abort();
  const error = await readGguf(memorySource(writeGguf({})), signal).catch((reason: unknown) => reason);
  expect(isEngineError(error, "aborted")).toBe(true);
});
