// The one table of request fields: validation, refusals and README's table all read it.
// To add a field: one row here; a new output goes into ChatRequest (request.ts).
import {
  anything,
  array,
  boolean,
  type Check,
  decimal,
  integer,
  invalid,
  join,
  object,
  oneOf,
  string,
  unknown,
  unsupported,
  wrongType,
} from "./checks.ts";
import { messages } from "./messages.ts";

interface FieldBase<T> {
  /** The value's type and range; a row that is refused checks the type as well. */
  readonly check: Check<T>;
  /** For a reader: type and range. */
  readonly range: string;
  /** For a reader: what absence means. */
  readonly fallback: string;
  readonly note?: string;
}

interface Honoured<T> extends FieldBase<T> {
  readonly support: "honoured";
  readonly extension?: true;
}

interface Refused extends FieldBase<unknown> {
  readonly support: "refused";
  /** Values that ask for nothing, and so pass: the field's default, or nothing at all. */
  readonly passes?: { readonly test: (value: unknown) => boolean; readonly text: string };
  readonly advice: string;
}

/** OpenAI's range is [-2^63, 2^63); beyond the safe integers a JavaScript number is no longer the one that was written. */
const SEEDS = { min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER };
const TOKENS = { min: 1, max: Number.MAX_SAFE_INTEGER };
const BIAS = integer({ min: -100, max: 100 });
const TOOLS_LATER = "Tools are not supported yet.";
const CACHE_LATER = "Prefixes are not cached between requests yet.";

/** Rows in the order of the README table, which is also the order of the checks. */
export const FIELDS = {
  messages: honoured(messages, "array, ≥ 1: system, developer, user, assistant; string or text parts", "required"),
  model: honoured(nonEmptyString, "string", "required", "an engine has one model, whatever it is called here; responses name it"),
  stream: honoured(boolean, "boolean", "`false`"),
  stream_options: honoured(streamOptions, "`{ include_usage }`", "none", "only with `stream: true`"),
  temperature: honoured(decimal({ min: 0, max: 2 }), "0 to 2", "1", "0 is greedy"),
  top_p: honoured(decimal({ min: 0, max: 1 }), "0 to 1", "1", "0 keeps the best token alone"),
  seed: honoured(integer(SEEDS), "integer, −(2^53−1) to 2^53−1", "drawn anew"),
  max_completion_tokens: honoured(integer(TOKENS), "integer ≥ 1", "what the context has room for"),
  max_tokens: honoured(integer(TOKENS), "integer ≥ 1", "what the context has room for", "older name of `max_completion_tokens`; not both"),
  stop: honoured(stop, "string, or 1 to 4 strings", "none", "the answer ends before it"),
  frequency_penalty: honoured(decimal({ min: -2, max: 2 }), "−2 to 2", "0", "counts the answer's tokens only"),
  presence_penalty: honoured(decimal({ min: -2, max: 2 }), "−2 to 2", "0", "counts the answer's tokens only"),
  logit_bias: honoured(logitBias, "token id → integer, −100 to 100", "none", "ids of this model's vocabulary"),
  logprobs: honoured(boolean, "boolean", "`false`", "of the raw distribution"),
  top_logprobs: honoured(integer({ min: 0, max: 20 }), "integer, 0 to 20", "0", "only with `logprobs: true`"),
  user: honoured(string, "string", "none", "accepted; nobody else is served here"),
  top_k: extension(integer({ min: 0, max: Number.MAX_SAFE_INTEGER }), "integer ≥ 0", "0 (off)"),
  min_p: extension(decimal({ min: 0, max: 1 }), "0 to 1", "0 (off)"),
  repetition_penalty: extension(decimal({ min: 0.01, max: 100 }), "0.01 to 100", "1 (off)", "prompt and answer"),

  n: refused(integer({ min: 1, max: 128 }), "integer, 1 to 128", "1", "Send the request once per choice.", only(1)),
  response_format: refused(object, "object", '`{ type: "text" }`', "Ask for the format in a message.", {
    test: (value) => hasExactly(value, { type: "text" }),
    text: '`{ type: "text" }`',
  }),
  modalities: refused(array(oneOf("text", "audio"), { min: 1, max: 2 }), "array", '`["text"]`', "Only text comes out.", {
    test: (value) => Array.isArray(value) && value.every((name) => name === "text"),
    text: '`["text"]`',
  }),
  audio: refused(object, "object", "none", "Only text comes out."),
  prediction: refused(object, "object", "none", "Leave it out: it never changes the answer."),
  verbosity: refused(oneOf("low", "medium", "high"), "low, medium, high", "`medium`", "Ask for the length in a message.", only("medium")),
  reasoning_effort: refused(
    oneOf("none", "minimal", "low", "medium", "high", "xhigh", "max"), "none to max", "`medium`", "The model decides how it reasons.", only("medium"),
  ),
  web_search_options: refused(object, "object", "none", "The engine makes no requests."),
  tools: refused(array(anything, { min: 0, max: Number.POSITIVE_INFINITY }), "array", "none", TOOLS_LATER, {
    test: (value) => Array.isArray(value) && value.length === 0,
    text: "`[]`",
  }),
  tool_choice: refused(anything, "string or object", "`none`", TOOLS_LATER, only("none")),
  parallel_tool_calls: refused(boolean, "boolean", "`true`", TOOLS_LATER, only(true)),
  functions: refused(array(anything, { min: 1, max: 128 }), "array", "none", TOOLS_LATER),
  function_call: refused(anything, "string or object", "`none`", TOOLS_LATER, only("none")),
  store: refused(boolean, "boolean", "`false`", "Completions are not stored yet.", only(false)),
  metadata: refused(object, "map", "none", "Completions are not stored yet.", {
    test: (value) => Object.keys(value as object).length === 0,
    text: "`{}`",
  }),
  service_tier: refused(
    oneOf("auto", "default", "flex", "scale", "priority", "fast"), "name", "`auto`", "There is one tier.", {
      test: (value) => value === "auto" || value === "default",
      text: "`auto`, `default`",
    },
  ),
  prompt_cache_key: refused(string, "string", "none", CACHE_LATER),
  prompt_cache_options: refused(object, "object", "none", CACHE_LATER),
  prompt_cache_retention: refused(oneOf("in_memory", "24h"), "name", "none", CACHE_LATER),
  safety_identifier: refused(string, "string", "none", "Nobody else is served here; `user` is accepted."),
  moderation: refused(object, "object", "none", "There is no moderation model here."),
} as const; // biome-ignore format: a table, one row a field

export type FieldName = keyof typeof FIELDS;
type HonouredName = { [Name in FieldName]: (typeof FIELDS)[Name] extends Honoured<unknown> ? Name : never }[FieldName];
/** What the checks make of the fields that are honoured. */
export type FieldValues = {
  [Name in HonouredName]?: (typeof FIELDS)[Name] extends Honoured<infer T> ? T : never;
};

/** README's table: one row a field, in the table's order. */
export function fieldsMarkdown(): string {
  const rows = Object.entries<Honoured<unknown> | Refused>(FIELDS).map(([name, field]) => {
    const honouredText = field.support === "honoured" && field.extension ? "yes (extension)" : "yes";
    const passes = field.support === "refused" && field.passes ? `refused, except ${field.passes.text}` : "refused";
    const support = field.support === "honoured" ? honouredText : passes;
    return `| \`${name}\` | ${field.range} | ${field.fallback} | ${support} | ${field.note ?? ""} |`;
  });
  return ["| Field | Values | Default | Honoured | Notes |", "|---|---|---|---|---|", ...rows].join("\n");
}

function honoured<T>(check: Check<T>, range: string, fallback: string, note?: string): Honoured<T> {
  return { support: "honoured", check, range, fallback, ...(note !== undefined && { note }) };
}

function extension<T>(check: Check<T>, range: string, fallback: string, note?: string): Honoured<T> {
  return { ...honoured(check, range, fallback, note), extension: true };
}

function refused(
  check: Check<unknown>,
  range: string,
  fallback: string,
  advice: string,
  passes?: Refused["passes"],
): Refused {
  return { support: "refused", check, range, fallback, advice, ...(passes && { passes }) };
}

function only(allowed: string | number | boolean): NonNullable<Refused["passes"]> {
  return { test: (value) => value === allowed, text: `\`${allowed}\`` };
}

function hasExactly(value: unknown, expected: Record<string, unknown>): boolean {
  const entries = object(value, "");
  return entries.size === Object.keys(expected).length && [...entries].every(([key, entry]) => expected[key] === entry);
}

function nonEmptyString(value: unknown, path: string): string {
  const text = string(value, path);
  if (text === "")
    throw invalid(path, "empty_string", `Invalid '${path}': empty string. Expected at least one character.`);
  return text;
}

function stop(value: unknown, path: string): string[] {
  if (typeof value === "string") return [nonEmptyString(value, path)];
  if (!Array.isArray(value)) wrongType(value, path, "a string or an array of strings");
  return array(nonEmptyString, { min: 1, max: 4 })(value, path);
}

function logitBias(value: unknown, path: string): Map<number, number> {
  const bias = new Map<number, number>();
  for (const [key, entry] of object(value, path)) {
    if (!/^(0|[1-9]\d{0,9})$/.test(key))
      throw invalid(
        join(path, key),
        "invalid_value",
        `Invalid key in '${path}': '${key}'. Expected a token id, as in '1234'.`,
      );
    bias.set(Number(key), BIAS(entry, join(path, key)));
  }
  return bias;
}

function streamOptions(value: unknown, path: string): { includeUsage: boolean } {
  const options = { includeUsage: false };
  for (const [key, entry] of object(value, path)) {
    const at = join(path, key);
    if (key === "include_usage") options.includeUsage = boolean(entry, at);
    else if (key !== "include_obfuscation") throw unknown(at);
    else if (boolean(entry, at)) throw unsupported(at, "There is no wire to hide sizes on; `false` is accepted.");
  }
  return options;
}
