// A strict reader of GGUF headers, versions 2 and 3: metadata and where each tensor lies. It never reads the weights.
// Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md

import type { ByteSource } from "../storage/byte-source.ts";
import { HeaderReader } from "./header-reader.ts";
import type { Metadata } from "./metadata.ts";
import { LIMITS } from "./rules.ts";
import { TENSOR_TYPES, type TensorFormat } from "./tensor-types.ts";
import { readLength, readMetadata } from "./values.ts";

export interface Gguf {
  readonly version: 2 | 3;
  readonly metadata: Metadata;
  /** By name, in the order of the file (of the parts, when split). */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** One, or the parts of a split model in order. */
  readonly files: readonly GgufFile[];
}

export interface GgufFile {
  readonly source: ByteSource;
  /** Where the tensors' data starts. */
  readonly dataOffset: number;
}

export interface TensorInfo {
  readonly name: string;
  /** In GGUF's order: `shape[0]` is the length of a row, `shape[1]` the number of rows. */
  readonly shape: readonly number[];
  readonly format: TensorFormat;
  /** Weights and bytes of a quantization block. */
  readonly blockLength: number;
  readonly blockBytes: number;
  /** Index in `Gguf.files`. */
  readonly file: number;
  /** From the start of that file. */
  readonly offset: number;
  readonly byteLength: number;
}

const MAGIC = 0x46554747; // "GGUF"
const SMALLEST_TENSOR = 33; // name of one letter, one dimension, type and offset

/**
 * Reads the header of one file; what lies behind it is only checked to be there.
 * @throws EngineError `model_malformed` with the offset and the rule that is broken, and what `source.read` throws
 */
export async function readGguf(source: ByteSource, signal?: AbortSignal): Promise<Gguf> {
  const reader = new HeaderReader(source, signal);
  const version = await readVersion(reader);
  await reader.need(16);
  const tensorCount = reader.count();
  const keyCount = reader.count();
  if (tensorCount > LIMITS.tensors) reader.refuse("tensor-count", `${tensorCount} tensors`, 8);
  if (keyCount > LIMITS.keys) reader.refuse("key-count", `${keyCount} keys`, 16);
  const metadata = await readMetadata(reader, keyCount);
  const alignment = readAlignment(reader, metadata);
  const entries = await readEntries(reader, tensorCount);
  const dataOffset = Math.ceil(reader.offset / alignment) * alignment;
  return {
    version,
    metadata,
    tensors: placeTensors(reader, entries, source.size, dataOffset, alignment),
    files: [{ source, dataOffset }],
  };
}

async function readVersion(reader: HeaderReader): Promise<2 | 3> {
  if (reader.left < 4) reader.refuse("magic", `a file of ${reader.left} bytes`);
  await reader.need(4);
  const magic = reader.uint32();
  if (magic !== MAGIC) reader.refuse("magic", quote(magic), 0);
  await reader.need(4);
  const version = reader.uint32();
  if (version !== 0 && (version & 0xffff) === 0) reader.refuse("byte-order", "a big-endian file", 4);
  if (version !== 2 && version !== 3) reader.refuse("version", `${version}`, 4);
  return version;
}

function readAlignment(reader: HeaderReader, metadata: Metadata): number {
  const alignment = metadata.number("general.alignment") ?? LIMITS.defaultAlignment;
  const [least, most] = LIMITS.alignment;
  if (alignment < least || alignment > most || (alignment & (alignment - 1)) !== 0) {
    reader.refuse("alignment", `${alignment}`, metadata.offsetOf("general.alignment"));
  }
  return alignment;
}

/** A tensor as the header describes it, its offset still counted from the start of the data. */
interface Entry extends Omit<TensorInfo, "file"> {
  /** Where in the header it is described. */
  readonly at: number;
}

async function readEntries(reader: HeaderReader, count: number): Promise<Entry[]> {
  const entries: Entry[] = [];
  const names = new Set<string>();
  reader.expect(count, SMALLEST_TENSOR, "tensors");
  for (let i = 0; i < count; i++) {
    const entry = await readEntry(reader, i);
    if (names.has(entry.name)) reader.refuse("tensor-name-unique", `a second ${entry.name}`, entry.at);
    names.add(entry.name);
    entries.push(entry);
  }
  return entries;
}

async function readEntry(reader: HeaderReader, index: number): Promise<Entry> {
  const at = reader.offset;
  const nameBytes = await readLength(reader, 1, LIMITS.nameBytes, "tensor-name-length", `the name of tensor ${index}`);
  const name = reader.strictText(nameBytes, "tensor-name-text");
  await reader.need(4);
  const dimensions = reader.uint32();
  if (dimensions < 1 || dimensions > LIMITS.dimensions) {
    reader.refuse("tensor-dimensions", `${dimensions} in ${name}`, reader.offset - 4);
  }
  await reader.need(dimensions * 8 + 12);
  const shapeAt = reader.offset;
  const shape = Array.from({ length: dimensions }, () => reader.count());
  const elements = shape.reduce((product, size) => product * size, 1);
  if (shape.some((size) => size < 1) || !(elements <= Number.MAX_SAFE_INTEGER)) {
    reader.refuse("tensor-shape", `[${shape.join(", ")}] in ${name}`, shapeAt);
  }
  const typeId = reader.uint32();
  const type = TENSOR_TYPES.get(typeId);
  if (!type) return reader.refuse("tensor-type", `type ${typeId} in ${name}`, reader.offset - 4);
  const { name: format, blockLength, blockBytes } = type;
  if (shape[0]! % blockLength !== 0) {
    reader.refuse("tensor-row", `rows of ${shape[0]} in ${name}, ${format} has blocks of ${blockLength}`, shapeAt);
  }
  const offset = reader.count();
  return {
    name,
    shape,
    format,
    blockLength,
    blockBytes,
    offset,
    byteLength: (elements / blockLength) * blockBytes,
    at,
  };
}

/** Checks that the tensors are aligned, inside the file and apart, and counts their offsets from the file's start. */
function placeTensors(
  reader: HeaderReader,
  entries: readonly Entry[],
  size: number,
  dataOffset: number,
  alignment: number,
): Map<string, TensorInfo> {
  const tensors = new Map<string, TensorInfo>();
  for (const { at, ...entry } of entries) {
    if (entry.offset % alignment !== 0) {
      reader.refuse("tensor-alignment", `offset ${entry.offset} of ${entry.name}, alignment ${alignment}`, at);
    }
    const offset = dataOffset + entry.offset;
    if (!(offset + entry.byteLength <= size)) {
      reader.refuse("tensor-range", `${entry.name} from ${offset} with ${entry.byteLength} bytes of ${size}`, at);
    }
    tensors.set(entry.name, { ...entry, offset, file: 0 });
  }
  const inOrder = entries.toSorted((a, b) => a.offset - b.offset);
  inOrder.forEach((entry, i) => {
    const previous = inOrder[i - 1];
    if (previous && previous.offset + previous.byteLength > entry.offset) {
      reader.refuse("tensor-overlap", `${entry.name} inside of ${previous.name}`, entry.at);
    }
  });
  return tensors;
}

/** The first four bytes as they would print, since a web page or a checkpoint in another format shows itself there. */
function quote(magic: number): string {
  const bytes = [0, 8, 16, 24].map((shift) => (magic >>> shift) & 0xff);
  const text = bytes.map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : ".")).join("");
  return `"${text}" (${bytes.map((byte) => byte.toString(16).padStart(2, "0")).join(" ")})`;
}
