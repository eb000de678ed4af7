// The metadata section of a GGUF header: keys and values of the 13 types.

import type { HeaderReader } from "./header-reader.ts";
import { Metadata, type MetadataValue, StringArray } from "./metadata.ts";
import { LIMITS, type Rule } from "./rules.ts";

const STRING = 8;
const ARRAY = 9;
const UINT32 = 4;
const BOOLEAN = 7;
const SMALLEST_PAIR = 14; // a key of one letter and a value of one byte

interface Numeric {
  readonly bytes: number;
  read(reader: HeaderReader): MetadataValue;
  /** How an array of them is held. */
  readonly run: RunType;
}

/** By the number of the value type. */
const NUMERIC: ReadonlyMap<number, Numeric> = new Map<number, Numeric>([
  [0, { bytes: 1, read: (r) => r.uint8(), run: Uint8Array }],
  [1, { bytes: 1, read: (r) => r.int8(), run: Int8Array }],
  [2, { bytes: 2, read: (r) => r.uint16(), run: Uint16Array }],
  [3, { bytes: 2, read: (r) => r.int16(), run: Int16Array }],
  [UINT32, { bytes: 4, read: (r) => r.uint32(), run: Uint32Array }],
  [5, { bytes: 4, read: (r) => r.int32(), run: Int32Array }],
  [6, { bytes: 4, read: (r) => r.float32(), run: Float32Array }],
  [BOOLEAN, { bytes: 1, read: readBoolean, run: Uint8Array }],
  [10, { bytes: 8, read: (r) => narrow(r.uint64()), run: BigUint64Array }],
  [11, { bytes: 8, read: (r) => narrow(r.int64()), run: BigInt64Array }],
  [12, { bytes: 8, read: (r) => r.float64(), run: Float64Array }],
]);

type Run = Exclude<MetadataValue, string | number | bigint | boolean | StringArray | readonly boolean[]>;
type RunType = new (buffer: ArrayBuffer) => Run;

/** Reads `count` pairs; the reader stands behind the last one afterwards. */
export async function readMetadata(reader: HeaderReader, count: number): Promise<Metadata> {
  const values = new Map<string, MetadataValue>();
  const offsets = new Map<string, number>();
  reader.expect(count, SMALLEST_PAIR, "metadata pairs");
  for (let i = 0; i < count; i++) {
    const at = reader.offset;
    const length = await readLength(reader, 1, LIMITS.keyBytes, "key-length", `key ${i}`);
    const key = reader.strictText(length, "key-text");
    if (values.has(key)) reader.refuse("key-unique", `a second ${key}`, at);
    await reader.need(4);
    const type = reader.uint32();
    if (key === "general.alignment" && type !== UINT32) reader.refuse("alignment", `a value of type ${type}`, at);
    values.set(key, await readValue(reader, type, key));
    offsets.set(key, at);
  }
  return new Metadata(values, reader.name, offsets);
}

/** The length of a string whose bytes are then at hand, refused by `rule` when out of bounds. */
export async function readLength(reader: HeaderReader, least: number, most: number, rule: Rule, what: string) {
  if (!reader.has(8)) await reader.need(8);
  const at = reader.offset;
  const length = reader.count();
  if (length < least || length > most) reader.refuse(rule, `${length} bytes for ${what}`, at);
  if (!reader.has(length)) await reader.need(length);
  return length;
}

async function readValue(reader: HeaderReader, type: number, key: string): Promise<MetadataValue> {
  if (type === STRING) {
    const [most, rule] =
      key === "tokenizer.chat_template" || key.startsWith("tokenizer.chat_template.")
        ? ([LIMITS.templateBytes, "template-length"] as const)
        : ([LIMITS.stringBytes, "string-length"] as const);
    return reader.text(await readLength(reader, 0, most, rule, key));
  }
  if (type === ARRAY) return readArray(reader, key);
  const numeric = NUMERIC.get(type);
  if (!numeric) return reader.refuse("value-type", `type ${type} in ${key}`, reader.offset - 4);
  await reader.need(numeric.bytes);
  return numeric.read(reader);
}

async function readArray(reader: HeaderReader, key: string): Promise<MetadataValue> {
  const at = reader.offset;
  await reader.need(12);
  const type = reader.uint32();
  const count = reader.count();
  if (type === ARRAY) reader.refuse("array-nested", `an array of arrays in ${key}`, at);
  const numeric = NUMERIC.get(type);
  if (!numeric && type !== STRING) reader.refuse("value-type", `an array of type ${type} in ${key}`, at);
  if (count > LIMITS.arrayItems) reader.refuse("array-length", `${count} items in ${key}`, at);
  if (!numeric) return readStrings(reader, count, key);
  reader.expect(count, numeric.bytes, `items in ${key}`);
  await reader.need(count * numeric.bytes);
  if (type === BOOLEAN) return Array.from({ length: count }, () => readBoolean(reader));
  const run = new numeric.run(reader.take(count * numeric.bytes).buffer);
  return run instanceof BigUint64Array || run instanceof BigInt64Array ? narrowRun(run) : run;
}

async function readStrings(reader: HeaderReader, count: number, key: string): Promise<StringArray> {
  const [most, rule] =
    key === "tokenizer.ggml.tokens" || key === "tokenizer.ggml.merges"
      ? ([LIMITS.pieceBytes, "piece-length"] as const)
      : ([LIMITS.stringBytes, "string-length"] as const);
  reader.expect(count, 8, `strings in ${key}`);
  const starts = new Uint32Array(count + 1);
  reader.mark();
  const base = reader.offset;
  for (let i = 0; i < count; i++) {
    // The waits are spelled out, since half a million of them for bytes that are here already would cost a second.
    if (!reader.has(8)) await reader.need(8);
    const length = reader.count();
    if (length > most) reader.refuse(rule, `${length} bytes in item ${i} of ${key}`, reader.offset - 8);
    if (!reader.has(length)) await reader.need(length);
    starts[i] = reader.offset - base;
    reader.skip(length);
  }
  starts[count] = reader.offset - base + 8;
  return new StringArray(reader.sinceMark(), starts, 8); // between two strings lies the length of the second
}

function readBoolean(reader: HeaderReader): boolean {
  const value = reader.uint8();
  if (value > 1) reader.refuse("boolean", `${value}`, reader.offset - 1);
  return value === 1;
}

function narrow(value: bigint): number | bigint {
  return isSafe(value) ? Number(value) : value;
}

function narrowRun(run: BigUint64Array | BigInt64Array): MetadataValue {
  return run.every(isSafe) ? Float64Array.from(run as BigInt64Array, Number) : run;
}

function isSafe(value: bigint): boolean {
  return value <= Number.MAX_SAFE_INTEGER && value >= Number.MIN_SAFE_INTEGER;
}
