// GGUF files spelled out field by field, so that a test can make any one of them wrong.

import { TENSOR_TYPES } from "../../src/gguf/tensor-types.ts";
import { ByteWriter, type ScalarType, VALUE_TYPES } from "../fixtures/gguf-writer.ts";
import type { Random } from "../fixtures/random.ts";

export interface RawPair {
  key: string | Uint8Array;
  keyLength?: bigint;
  type: number;
  payload: Uint8Array;
}

export interface RawTensor {
  name: string | Uint8Array;
  nameLength?: bigint;
  dimensionCount?: number;
  dimensions: bigint[];
  type: number;
  offset: bigint;
}

export interface RawFile {
  magic: string;
  version: number;
  tensorCount?: bigint;
  pairCount?: bigint;
  pairs: RawPair[];
  tensors: RawTensor[];
  alignment: number;
  /** Bytes behind the padded header. */
  dataBytes: number;
}

export function emit(file: RawFile): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter();
  writer.bytes(new TextEncoder().encode(file.magic));
  writer.uint32(file.version);
  writer.uint64(file.tensorCount ?? BigInt(file.tensors.length));
  writer.uint64(file.pairCount ?? BigInt(file.pairs.length));
  for (const { key, keyLength, type, payload } of file.pairs) {
    text(writer, key, keyLength);
    writer.uint32(type);
    writer.bytes(payload);
  }
  for (const { name, nameLength, dimensionCount, dimensions, type, offset } of file.tensors) {
    text(writer, name, nameLength);
    writer.uint32(dimensionCount ?? dimensions.length);
    for (const size of dimensions) writer.uint64(BigInt.asUintN(64, size));
    writer.uint32(type);
    writer.uint64(BigInt.asUintN(64, offset));
  }
  if (file.tensors.length > 0) writer.pad(file.alignment);
  writer.bytes(new Uint8Array(file.dataBytes));
  return writer.finish();
}

/** A valid file of some pairs of every type and some tensors of every format. */
export function randomFile(random: Random, alignment = 32): RawFile {
  const pairs = Array.from({ length: 3 + random.below(20) }, (_, i) => randomPair(`my.key.${i}`, random));
  if (alignment !== 32) pairs.push(alignmentPair(alignment));
  const types = [...TENSOR_TYPES.values()];
  let offset = 0;
  const tensors = Array.from({ length: 2 + random.below(12) }, (_, i): RawTensor => {
    const type = random.pick(types);
    const dimensions = [
      (1 + random.below(4)) * type.blockLength,
      ...Array.from({ length: random.below(4) }, () => 1 + random.below(5)),
    ];
    const at = offset;
    const bytes = (dimensions.reduce((a, b) => a * b, 1) / type.blockLength) * type.blockBytes;
    offset += Math.ceil(bytes / alignment) * alignment;
    return { name: `my_tensor_${i}`, dimensions: dimensions.map(BigInt), type: type.id, offset: BigInt(at) };
  });
  return { magic: "GGUF", version: 2 + random.below(2), pairs, tensors, alignment, dataBytes: offset };
}

export function alignmentPair(value: number, type: ScalarType = "uint32"): RawPair {
  return scalarPair("general.alignment", type, value);
}

export function scalarPair(key: string, type: ScalarType, value: string | number | bigint | boolean): RawPair {
  return { key, type: VALUE_TYPES[type], payload: payload((writer) => writer.scalar(type, value)) };
}

/** An array of any item type and announced length, with `items` as it stands in the file. */
export function arrayPair(key: string, itemType: number, count: number | bigint, items: Uint8Array): RawPair {
  return {
    key,
    type: VALUE_TYPES.array,
    payload: payload((writer) => {
      writer.uint32(itemType);
      writer.uint64(count);
      writer.bytes(items);
    }),
  };
}

export function payload(write: (writer: ByteWriter) => void): Uint8Array {
  const writer = new ByteWriter();
  write(writer);
  return writer.finish();
}

const SCALAR_TYPES = Object.keys(VALUE_TYPES).filter((type) => type !== "array") as ScalarType[];

function randomPair(key: string, random: Random): RawPair {
  const type = random.pick(SCALAR_TYPES);
  if (random.below(2) === 0) return scalarPair(key, type, randomScalar(type, random));
  const count = random.below(17);
  const items = payload((writer) => {
    for (let i = 0; i < count; i++) writer.scalar(type, randomScalar(type, random));
  });
  return arrayPair(key, VALUE_TYPES[type], count, items);
}

function randomScalar(type: ScalarType, random: Random): string | number | bigint | boolean {
  switch (type) {
    case "string":
      return "äöx€".repeat(random.below(9));
    case "bool":
      return random.below(2) === 1;
    case "uint64":
    case "int64":
      return BigInt(random.uint32()) << BigInt(random.below(32));
    case "float32":
    case "float64":
      return random.normal();
    default:
      return random.uint32();
  }
}

function text(writer: ByteWriter, value: string | Uint8Array, length: bigint | undefined): void {
  const bytes = typeof value === "string" ? new TextEncoder().encode(value) : value;
  writer.uint64(BigInt.asUintN(64, length ?? BigInt(bytes.length)));
  writer.bytes(bytes);
}
