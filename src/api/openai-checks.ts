// Checks of OpenAI's own fields whose values are more than a number or a name.
import {
  array,
  boolean,
  type Check,
  characterCount,
  integer,
  invalid,
  join,
  nonEmptyString,
  object,
  oneOf,
  shortString,
  shown,
  unsupported,
  wrongType,
} from "./checks.ts";
import { readContent } from "./content-parts.ts";
import { shape } from "./shapes.ts";

/** Beyond these a JavaScript number is no longer the integer that was written. */
const SAFE_INTEGERS = { min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER };
const SEED = integer(SAFE_INTEGERS);
const LEAST_SEED = -(2n ** 63n);
const GREATEST_SEED = 2n ** 63n - 1n;
/** As many characters as the least seed has. */
const SEED_TEXT = /^-?\d{1,19}$/;
const STOP_STRINGS = array(nonEmptyString, { min: 1, max: 4 });
const BIAS = integer({ min: -100, max: 100 });
/** OpenAI's limits on metadata. */
const METADATA = { pairs: 16, keyLength: 64, valueLength: 512 };
const METADATA_VALUE = shortString(METADATA.valueLength);

/** A safe integer, or any signed 64-bit integer as a decimal string (our extension). */
export const seed: Check<bigint> = (value, path) => {
  if (typeof value === "string") {
    const parsed = SEED_TEXT.test(value) ? BigInt(value) : undefined;
    if (parsed !== undefined && parsed >= LEAST_SEED && parsed <= GREATEST_SEED) return parsed;
    throw invalid(
      path,
      "invalid_value",
      `Invalid value for '${path}': '${shown(value)}'. Expected a decimal integer from ${LEAST_SEED} to ${GREATEST_SEED}.`,
    );
  }
  if (typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value)) {
    const [side, bound] =
      value < 0
        ? (["below_min", `>= ${SAFE_INTEGERS.min}`] as const)
        : (["above_max", `<= ${SAFE_INTEGERS.max}`] as const);
    throw invalid(
      path,
      `integer_${side}_value`,
      `Invalid '${path}': a number this large is not exact. Expected a value ${bound}, but got ${value} instead. Write a larger seed as a string, as in "-9007199254740993".`,
    );
  }
  return BigInt(SEED(value, path));
};

export const stop: Check<string[]> = (value, path) => {
  if (typeof value === "string") return [nonEmptyString(value, path)];
  if (!Array.isArray(value)) return wrongType(value, path, "a string or an array of strings");
  return STOP_STRINGS(value, path);
};

export const logitBias: Check<Map<number, number>> = (value, path) => {
  const bias = new Map<number, number>();
  for (const [key, entry] of object(value, path)) {
    if (!/^(0|[1-9]\d{0,9})$/.test(key))
      throw invalid(
        join(path, key),
        "invalid_value",
        `Invalid key in '${path}': '${shown(key)}'. Expected a token id, as in '1234'.`,
      );
    bias.set(Number(key), BIAS(entry, join(path, key)));
  }
  return bias;
};

export const streamOptions = shape({}, { include_usage: boolean, include_obfuscation: noObfuscation });

export const metadata: Check<Record<string, string>> = (value, path) => {
  const entries = object(value, path);
  if (entries.size > METADATA.pairs)
    throw invalid(
      path,
      "object_above_max_properties",
      `Invalid '${path}': too many properties. Expected an object with at most ${METADATA.pairs} properties, but got an object with ${entries.size} properties instead.`,
    );
  for (const key of entries.keys()) {
    const length = characterCount(key);
    if (length > METADATA.keyLength)
      throw invalid(
        join(path, key),
        "property_name_above_max_length",
        `Invalid property name in '${path}': '${shown(key)}' is too long. Expected a string with maximum length ${METADATA.keyLength}, but got a string with length ${length} instead.`,
      );
  }
  return Object.fromEntries([...entries].map(([key, entry]) => [key, METADATA_VALUE(entry, join(path, key))]));
};

function noObfuscation(value: unknown, path: string): false {
  if (boolean(value, path)) throw unsupported(path, "Chunks are not padded to hide their sizes; `false` is accepted.");
  return false;
}

const CACHE_OPTIONS = shape({}, { ttl: oneOf("30m"), mode: oneOf("implicit", "explicit") });

/** Prefixes are cached wherever they end: to cache no others than those that are marked cannot be done. */
export const promptCacheOptions = (value: unknown, path: string) => {
  const options = CACHE_OPTIONS(value, path);
  if (options.mode !== "explicit") return options;
  throw unsupported(join(path, "mode"), "Every prefix is cached, marked or not: leave it out, or ask for 'implicit'.");
};

const PREDICTION = shape({ type: oneOf("content"), content: readContent("tool") });

/** The predicted text, its parts joined: they are of one kind, as those of a tool's result. */
export const prediction: Check<string> = (value, path) => {
  const { content } = PREDICTION(value, path);
  return typeof content === "string" ? content : content.map(({ text }) => text).join("");
};
