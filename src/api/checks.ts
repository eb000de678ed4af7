// Checks of single JSON values, with OpenAI's error codes and wording. Each takes a value and its path, and returns it typed.
import { EngineError } from "../base/errors.ts";

/** Takes a value that is neither null nor undefined, and the path by which an error names it. */
export type Check<T> = (value: unknown, path: string) => T;

export interface Range {
  readonly min: number;
  readonly max: number;
  /** The least value itself is out of range. */
  readonly minExcluded?: true;
}

/** OpenAI's limit on the names of functions, tools and schemas. */
const MAX_IDENTIFIER = 64;
/** Enough to recognise a value by; a message is no place for a whole document. */
const MAX_SHOWN = 80;

export const boolean: Check<boolean> = (value, path) =>
  typeof value === "boolean" ? value : wrongType(value, path, "a boolean");

export const string: Check<string> = (value, path) =>
  typeof value === "string" ? value : wrongType(value, path, "a string");

export function nonEmptyString(value: unknown, path: string): string {
  const text = string(value, path);
  if (text === "")
    throw invalid(path, "empty_string", `Invalid '${path}': empty string. Expected at least one character.`);
  return text;
}

/** @param max in Unicode characters, as JSON Schema counts */
export function shortString(max: number): Check<string> {
  return (value, path) => {
    const text = string(value, path);
    const length = characterCount(text);
    if (length > max)
      throw invalid(
        path,
        "string_above_max_length",
        `Invalid '${path}': string too long. Expected a string with maximum length ${max}, but got a string with length ${length} instead.`,
      );
    return text;
  };
}

/** A name of OpenAI's kind: of functions, tools and schemas. */
export const identifier: Check<string> = (value, path) => {
  const text = shortString(MAX_IDENTIFIER)(nonEmptyString(value, path), path);
  if (!/^[a-zA-Z0-9_-]+$/.test(text))
    throw invalid(
      path,
      "invalid_value",
      `Invalid '${path}': string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'.`,
    );
  return text;
};

/** A finite number within the range. */
export function decimal(range: Range): Check<number> {
  return (value, path) => {
    if (typeof value !== "number" || Number.isNaN(value)) wrongType(value, path, "a decimal");
    return inRange(value as number, range, path, "decimal");
  };
}

export function integer(range: Range): Check<number> {
  return (value, path) => {
    if (typeof value !== "number" || (Number.isFinite(value) && !Number.isInteger(value)) || Number.isNaN(value))
      wrongType(value, path, "an integer");
    return inRange(value as number, range, path, "integer");
  };
}

export function oneOf<T extends string>(...allowed: readonly T[]): Check<T> {
  return (value, path) => {
    const text = string(value, path);
    if (!(allowed as readonly string[]).includes(text)) {
      const expected = allowed.map((name) => `'${name}'`).join(", ");
      throw invalid(
        path,
        "invalid_value",
        `Invalid value for '${path}': '${shown(text)}'. Expected one of: ${expected}.`,
      );
    }
    return text as T;
  };
}

export function array<T>(item: Check<T>, { min, max }: Range): Check<T[]> {
  return (value, path) => {
    if (!Array.isArray(value)) return wrongType(value, path, "an array");
    if (value.length < min && value.length === 0)
      throw invalid(
        path,
        "empty_array",
        `Invalid '${path}': empty array. Expected an array with minimum length ${min}, but got an empty array instead.`,
      );
    if (value.length > max)
      throw invalid(
        path,
        "array_above_max_length",
        `Invalid '${path}': array too long. Expected an array with maximum length ${max}, but got an array with length ${value.length} instead.`,
      );
    return Array.from(value, (element, index) => item(element, `${path}[${index}]`)); // unlike map, sees holes
  };
}

/** A plain object's own entries that are neither null nor undefined: null means absent, everywhere. */
export const object: Check<Map<string, unknown>> = (value, path) => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return wrongType(value, path, "an object");
  return new Map(Object.entries(value).filter(([, entry]) => entry !== null && entry !== undefined));
};

/** Any value: for fields whose own type does not matter, since they are refused. */
export const anything: Check<unknown> = (value) => value;

export function invalid(param: string, wireCode: string, message: string): EngineError<"invalid_request"> {
  return new EngineError("invalid_request", message, { param, wireCode });
}

export function missing(param: string): EngineError<"invalid_request"> {
  return invalid(param, "missing_required_parameter", `Missing required parameter: '${param}'.`);
}

export function unknown(param: string): EngineError<"invalid_request"> {
  return invalid(param, "unknown_parameter", `Unknown parameter: '${shown(param)}'.`);
}

export function unsupported(param: string, advice: string): EngineError<"unsupported_parameter"> {
  return new EngineError("unsupported_parameter", `Unsupported parameter: '${param}'. ${advice}`, { param });
}

/** A caller's text as a message shows it. */
export function shown(text: string): string {
  return text.length <= MAX_SHOWN ? text : `${text.slice(0, MAX_SHOWN)}…`;
}

/** In Unicode characters. */
export function characterCount(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

/** The name of a key below `path`, which is empty at the top. */
export function join(path: string, key: string): string {
  return path === "" ? key : `${path}.${key}`;
}

function inRange(value: number, range: Range, path: string, kind: "decimal" | "integer"): number {
  const { min, max, minExcluded = false } = range;
  if (minExcluded ? value <= min : value < min)
    throw invalid(
      path,
      `${kind}_below_min_value`,
      `Invalid '${path}': ${kind} below minimum value. Expected a value ${minExcluded ? ">" : ">="} ${min}, but got ${value} instead.`,
    );
  if (value > max)
    throw invalid(
      path,
      `${kind}_above_max_value`,
      `Invalid '${path}': ${kind} above maximum value. Expected a value <= ${max}, but got ${value} instead.`,
    );
  return value;
}

export function wrongType(value: unknown, path: string, expected: string): never {
  const place = path === "" ? "the request body" : `'${shown(path)}'`;
  const error = `Invalid type for ${place}: expected ${expected}, but got ${describe(value)} instead.`;
  throw new EngineError("invalid_request", error, { wireCode: "invalid_type", ...(path !== "" && { param: path }) });
}

function describe(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "number")
    return Number.isInteger(value) ? "an integer" : Number.isNaN(value) ? "NaN" : "a decimal";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}
