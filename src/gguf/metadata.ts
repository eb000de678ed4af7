// The metadata of a GGUF file: a Map (never a plain object) with accessors that check the type of what they return.

import { malformed } from "./rules.ts";

/** Items of a numeric metadata array. 64-bit integers come as Float64Array when each fits in 2^53, else as they are. */
export type NumberArray =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array;

/** A 64-bit integer is a number where it fits in 2^53, else a bigint. */
export type MetadataValue =
  | string
  | number
  | bigint
  | boolean
  | StringArray
  | NumberArray
  | BigUint64Array
  | BigInt64Array
  | readonly boolean[];

const decoder = new TextDecoder("utf-8", { ignoreBOM: true }); // a token may start with U+FEFF: keep it

/** Many strings as the bytes of the file, decoded on demand: a vocabulary has hundreds of thousands. */
export class StringArray {
  readonly length: number;
  readonly #bytes: Uint8Array;
  readonly #starts: Uint32Array;
  readonly #gap: number;

  /**
   * @param bytes strings one after another, each followed by `gap` bytes that belong to none
   * @param starts where each string starts, and one more: where the next would
   */
  constructor(bytes: Uint8Array, starts: Uint32Array, gap: number) {
    this.length = starts.length - 1;
    this.#bytes = bytes;
    this.#starts = starts;
    this.#gap = gap;
  }

  static from(strings: readonly string[]): StringArray {
    const encoded = strings.map((text) => new TextEncoder().encode(text));
    const starts = new Uint32Array(strings.length + 1);
    encoded.forEach((bytes, i) => {
      starts[i + 1] = starts[i]! + bytes.length;
    });
    const joined = new Uint8Array(starts[strings.length]!);
    encoded.forEach((bytes, i) => {
      joined.set(bytes, starts[i]!);
    });
    return new StringArray(joined, starts, 0);
  }

  /** Bytes held for all strings, their index not counted. */
  get byteLength(): number {
    return this.#bytes.byteLength;
  }

  /** The text of string `i`; bytes that are not UTF-8 read as U+FFFD. */
  at(i: number): string {
    return decoder.decode(this.bytes(i));
  }

  /** The bytes of string `i`: a view, not to be written to. */
  bytes(i: number): Uint8Array {
    if (!(i >= 0 && i < this.length)) throw new RangeError(`Index ${i} is outside of ${this.length} strings`);
    return this.#bytes.subarray(this.#starts[i]!, this.#starts[i + 1]! - this.#gap);
  }

  *[Symbol.iterator](): IterableIterator<string> {
    for (let i = 0; i < this.length; i++) yield this.at(i);
  }
}

/** Accessors return undefined for an absent key and throw `model_malformed`, naming the key, for a value of another type. */
export class Metadata {
  readonly #values: ReadonlyMap<string, MetadataValue>;
  readonly #source: string;
  readonly #offsets: ReadonlyMap<string, number>;

  /**
   * @param source what messages call the file
   * @param offsets byte offset of each key, for messages
   */
  constructor(
    values: ReadonlyMap<string, MetadataValue>,
    source = "model",
    offsets: ReadonlyMap<string, number> = new Map(),
  ) {
    this.#values = values;
    this.#source = source;
    this.#offsets = offsets;
  }

  get size(): number {
    return this.#values.size;
  }

  has(key: string): boolean {
    return this.#values.has(key);
  }

  keys(): IterableIterator<string> {
    return this.#values.keys();
  }

  get(key: string): MetadataValue | undefined {
    return this.#values.get(key);
  }

  string(key: string): string | undefined {
    return this.#checked(key, "a string", isString);
  }

  number(key: string): number | undefined {
    return this.#checked(key, "a number below 2^53", isNumber);
  }

  boolean(key: string): boolean | undefined {
    return this.#checked(key, "a boolean", isBoolean);
  }

  strings(key: string): StringArray | undefined {
    return this.#checked(key, "an array of strings", isStringArray);
  }

  numbers(key: string): NumberArray | undefined {
    return this.#checked(key, "an array of numbers below 2^53", isNumberArray);
  }

  booleans(key: string): readonly boolean[] | undefined {
    return this.#checked(key, "an array of booleans", isBooleanArray);
  }

  requireString(key: string): string {
    return this.string(key) ?? this.#missing(key);
  }

  requireNumber(key: string): number {
    return this.number(key) ?? this.#missing(key);
  }

  requireBoolean(key: string): boolean {
    return this.boolean(key) ?? this.#missing(key);
  }

  requireStrings(key: string): StringArray {
    return this.strings(key) ?? this.#missing(key);
  }

  requireNumbers(key: string): NumberArray {
    return this.numbers(key) ?? this.#missing(key);
  }

  /** Byte offset of a key in its file; 0 when it is not known. */
  offsetOf(key: string): number {
    return this.#offsets.get(key) ?? 0;
  }

  #checked<T extends MetadataValue>(
    key: string,
    wanted: string,
    is: (value: MetadataValue) => value is T,
  ): T | undefined {
    const value = this.#values.get(key);
    if (value === undefined || is(value)) return value;
    throw malformed(
      this.#source,
      this.offsetOf(key),
      "key-type",
      `${kindOf(value)} in ${key}, which must be ${wanted}`,
    );
  }

  #missing(key: string): never {
    throw malformed(this.#source, 0, "key-missing", `no ${key}`);
  }
}

const isString = (value: MetadataValue): value is string => typeof value === "string";
const isNumber = (value: MetadataValue): value is number => typeof value === "number";
const isBoolean = (value: MetadataValue): value is boolean => typeof value === "boolean";
const isStringArray = (value: MetadataValue): value is StringArray => value instanceof StringArray;
const isBooleanArray = (value: MetadataValue): value is readonly boolean[] => Array.isArray(value);
const isNumberArray = (value: MetadataValue): value is NumberArray =>
  ArrayBuffer.isView(value) && !(value instanceof BigUint64Array) && !(value instanceof BigInt64Array);

function kindOf(value: MetadataValue): string {
  if (typeof value !== "object") return `a ${typeof value}`;
  if (Array.isArray(value)) return "an array of booleans";
  return value instanceof StringArray ? "an array of strings" : `a ${value.constructor.name}`;
}
