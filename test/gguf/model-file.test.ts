// Split models: joined from parts in any order, refused when the parts do not make one model.

import { expect, test } from "vitest";
import { isEngineError } from "../../src/base/errors.ts";
import { readModel } from "../../src/gguf/model-file.ts";
import { memorySource } from "../../src/storage/byte-source.ts";
import { splitGguf, type WriterModel, writeGguf } from "../fixtures/gguf-writer.ts";
import { tinyModel, tinyModelParts } from "../fixtures/tiny-models.ts";

const model = tinyModelParts({ layerCount: 1, seed: 3 });
const sources = (files: Uint8Array[]) => files.map((bytes, i) => memorySource(bytes, `part${i}.gguf`));
const parts = splitGguf(model, 3);

test.each([[[0, 1, 2]], [[2, 0, 1]], [[1, 2, 0]]])(
  "three parts in the order %j make the whole model",
  async (order) => {
    const files = sources(parts);
    const joined = await readModel({ files: order.map((i) => files[i]!) });
    const whole = await readModel({ files: [memorySource(tinyModel({ layerCount: 1, seed: 3 }))] });
    expect(joined.files.map(({ source }) => source.name)).toEqual(["part0.gguf", "part1.gguf", "part2.gguf"]);
    expect([...joined.tensors.keys()]).toEqual([...whole.tensors.keys()]);
    for (const [name, tensor] of joined.tensors) {
      const twin = whole.tensors.get(name)!;
      expect([tensor.shape, tensor.format]).toEqual([twin.shape, twin.format]);
      const [bytes, expected] = await Promise.all([
        joined.files[tensor.file]!.source.read(tensor.offset, tensor.byteLength),
        whole.files[0]!.source.read(twin.offset, twin.byteLength),
      ]);
      expect(bytes).toEqual(expected);
    }
    expect(joined.metadata.string("general.architecture")).toBe("llama");
  },
);

test("a model in one file, with or without split keys, is whole", async () => {
  expect((await readModel({ files: sources([writeGguf(model)]) })).files.length).toBe(1);
  expect((await readModel({ files: sources(splitGguf(model, 1)) })).files.length).toBe(1);
});

const other = splitGguf(tinyModelParts({ layerCount: 2 }), 3);
const withKeys = (keys: WriterModel["metadata"], tensors: WriterModel["tensors"] = []) =>
  writeGguf({ metadata: keys!, tensors: tensors! });
const key = (value: number) => ({ type: "uint16" as const, value });
const splitKeys = (no: number, count: number, tensors: number) => ({
  "split.no": key(no),
  "split.count": key(count),
  "split.tensors.count": tensors,
});
const one = [{ name: "a", shape: [8], format: "F32" as const }];

const REFUSED: [what: string, rule: string, files: Uint8Array[]][] = [
  ["the second part is missing", "split-missing", [parts[0]!, parts[2]!]],
  ["all but one part are missing", "split-missing", [parts[1]!]],
  ["a part is given twice", "split-number", [parts[0]!, parts[1]!, parts[1]!]],
  ["a part is of another model", "split-tensors", [parts[0]!, parts[1]!, other[2]!]],
  ["a part announces another number of parts", "split-count", [parts[0]!, splitGguf(model, 2)[1]!]],
  ["a whole model is beside a part", "split-count", [parts[0]!, writeGguf(model)]],
  ["there are two whole models", "split-number", [writeGguf(model), writeGguf(model)]],
  ["split.count is missing", "split-keys", [withKeys({ "split.no": key(0) })]],
  ["split.tensors.count is missing", "split-keys", [withKeys({ "split.no": key(0), "split.count": key(1) })]],
  ["split.count is 0", "split-count", [withKeys(splitKeys(0, 0, 0))]],
  ["split.count is 1,025", "split-count", [withKeys(splitKeys(0, 1025, 0))]],
  ["split.no is the number of parts", "split-number", [withKeys(splitKeys(2, 2, 0))]],
  ["split.no is of another type", "key-type", [withKeys({ ...splitKeys(0, 1, 0), "split.no": "0" })]],
  ["the parts hold fewer tensors than announced", "split-tensors", [
    withKeys(splitKeys(0, 2, 2), one), withKeys(splitKeys(1, 2, 2)),
  ]],
  ["two parts hold one tensor", "tensor-name-unique", [withKeys(splitKeys(0, 2, 2), one), withKeys(splitKeys(1, 2, 2), one)]],
  ["the parts have different versions", "split-version", [
    withKeys(splitKeys(0, 2, 0)), writeGguf({ version: 2, metadata: splitKeys(1, 2, 0) }),
  ]],
]; // biome-ignore format: one case an entry

test.each(REFUSED)("%s: refused by %s", async (_, rule, files) => {
  const error = await readModel({ files: sources(files) }).catch((reason: unknown) => reason);
  if (!isEngineError(error, "model_malformed")) throw error;
  expect(error.details!.rule).toBe(rule);
});
