// What may be wrong with a request, as random changes of one that is right.
import type { Random } from "../fixtures/random.ts";
import { copyOf, isContainer, type Place, placesIn, read, remove, write } from "./paths.ts";
import { type Body, validRequest } from "./request-generator.ts";

/** How many requests stay as they were made. */
const UNCHANGED_SHARE = 0.3;
const MOST_CHANGES = 3;
/** Depth and width at which anything that walks without a bound is found out. */
const DEPTH = 20_000;
const WIDTH = 20_000;
const LONG_TEXT = 20_000;

const INHERITED = ["__proto__", "constructor", "toString", "hasOwnProperty", "then", "toJSON", "length", "0", ""];
const NUMBERS = [
  0, -0, 1, -1, 0.5, 1e-300, 1e300, Number.MAX_VALUE, -Number.MAX_VALUE, 2 ** 31, 2 ** 32, 2 ** 53, -(2 ** 53), 2 ** 63,
  Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 128, 129, 319, 320, 4294967296,
]; // biome-ignore format: a table
const STRINGS = [
  "", " ", "null", "true", "0", "-1", "\ud800", "\udc00a", "a\ud83d", "\u0000", "\ufffd", "\ufeff", "e\u0301", "👩‍👩‍👧", "<|im_start|>",
  "<|im_end|>", "{{ messages }}", "{% endfor %}", "../..", "none", "function", "text", "tool", "assistant", "system", "user",
]; // biome-ignore format: a table
const OTHERS = [
  () => null, () => undefined, () => true, () => false, () => [], () => ({}), () => [[]], () => [null], () => new Date(0),
  () => new Map([["a", 1]]), () => 10n, () => Symbol("s"), () => () => "f", () => /x/, () => new Uint8Array(3),
  () => Object.create(null), () => new Array(5), () => Object.assign([1], { extra: 2 }),
]; // biome-ignore format: a table

/** Request `index` of the run with this seed: the same on every machine, and whatever was made before it. */
export function fuzzedRequest(model: string, random: Random): unknown {
  const body = validRequest(model, random);
  if (random.unit() < UNCHANGED_SHARE) return body;
  if (random.unit() < 0.005) return weirdValue(random); // no request at all
  for (let changes = 1 + random.below(MOST_CHANGES); changes > 0; changes--) random.pick(MUTATIONS)(body, random);
  return body;
}

/** What the API has and this engine refuses so far. */
const WISHES: readonly Body[] = [
  { tools: [{ type: "function", function: { name: "f", parameters: { type: "object" }, strict: true } }] },
  { tools: [{ type: "custom", custom: { name: "c", format: { type: "text" } } }], tool_choice: "required" },
  { tool_choice: { type: "function", function: { name: "f" } } },
  { functions: [{ name: "f" }], function_call: { name: "f" } },
  { response_format: { type: "json_object" } },
  { response_format: { type: "json_schema", json_schema: { name: "s", schema: {}, strict: true } } },
  { modalities: ["text", "audio"], audio: { voice: "alloy", format: "wav" } },
  { web_search_options: { search_context_size: "low" } },
  { store: true },
  { moderation: { model: "m" } },
  { prompt_cache_options: { mode: "explicit" } },
  { prompt_cache_retention: "24h" },
  { reasoning_effort: "low" },
  { verbosity: "high" },
  { chat_template_kwargs: { enable_thinking: true } },
  { stream: true, stream_options: { include_obfuscation: true } },
  { messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: "data:image/png;base64,AA==" } }] }] },
  { messages: [{ role: "user", content: [{ type: "input_audio", input_audio: { data: "AA==", format: "wav" } }] }] },
  { messages: [{ role: "user", content: [{ type: "file", file: { file_id: "f" } }] }] },
  { messages: [{ role: "user", content: "x ".repeat(400) }] },
  { model: "another" },
];

type Mutation = (body: Body, random: Random) => void;

const MUTATIONS: readonly Mutation[] = [
  atPlace(remove),
  atPlace(remove),
  atPlace(({ holder, key }) => write(holder, key, null)),
  atPlace(({ holder, key }) => write(holder, key, undefined)),
  atPlace(({ holder, key }, random) => write(holder, key, weirdValue(random))),
  atPlace(({ holder, key }, random) => write(holder, key, random.pick(STRINGS))),
  atPlace(({ holder, key }) => write(holder, key, [read(holder, key)])),
  atPlace(({ holder, key }, random) => write(holder, key, { [random.pick(STRINGS)]: read(holder, key) })),
  atPlace(renamed),
  atPlace(repeated),
  atPlace(grown),
  atPlace(similar),
  atPlace(similar),
  swapped,
  everyValueNull,
  unknownKey,
  fieldOfAnother,
  unsupportedWish,
];

function weirdValue(random: Random): unknown {
  const kind = random.below(20);
  if (kind < 6) return random.pick(NUMBERS);
  if (kind < 12) return random.pick(STRINGS);
  if (kind < 18) return random.pick(OTHERS)();
  return kind === 18 ? deepValue(random) : wideValue(random);
}

function deepValue(random: Random): unknown {
  const array = random.below(2) === 0;
  let value: unknown = "deep";
  for (let level = 0; level < DEPTH; level++) value = array ? [value] : { a: value };
  return value;
}

function wideValue(random: Random): unknown {
  switch (random.below(4)) {
    case 0:
      return random.pick(["x", "🙂", "\ud800", "é ", "<|im_end|>"]).repeat(LONG_TEXT);
    case 1:
      return new Array(WIDTH).fill(random.pick(["a", 1, null]));
    case 2:
      return Object.fromEntries(Array.from({ length: WIDTH }, (_, index) => [`k${index}`, index]));
    default: {
      const cyclic: Body = { type: "text" };
      cyclic["self"] = cyclic;
      return cyclic;
    }
  }
}

function atPlace(change: (place: Place, random: Random) => void): Mutation {
  return (body, random) => {
    const places = placesIn(body);
    if (places.length > 0) change(random.pick(places), random);
  };
}

/** Under a name that every object has, or that differs by a letter. */
function renamed({ holder, key }: Place, random: Random): void {
  if (Array.isArray(holder)) return;
  const value = read(holder, key);
  delete holder[key];
  const other = random.pick([random.pick(INHERITED), `${key}s`, String(key).toUpperCase(), `${key}.x`, `[${key}]`]);
  write(holder, other, value);
}

function repeated({ holder, key }: Place): void {
  const value = read(holder, key);
  if (Array.isArray(holder)) holder.splice(Number(key), 0, value);
  else if (Array.isArray(value)) value.push(...value.slice(0, 200));
}

/** Far more of what is there. */
function grown({ holder, key }: Place, random: Random): void {
  const value = read(holder, key);
  if (typeof value === "string") write(holder, key, value.padEnd(random.pick([64, 65, 513, LONG_TEXT]), value || "x"));
  else if (typeof value === "number") write(holder, key, value * random.pick([10, 1e9, -1, 1e-9]));
  else if (Array.isArray(value) && value.length > 0 && value.length < 10) {
    const first = value[0];
    value.push(...Array.from({ length: random.pick([4, 130, 2000]) }, () => first));
  }
}

/** Another value of the same type. */
function similar({ holder, key }: Place, random: Random): void {
  const value = read(holder, key);
  if (typeof value === "string") write(holder, key, random.pick(STRINGS));
  else if (typeof value === "number") write(holder, key, random.pick(NUMBERS));
  else if (typeof value === "boolean") write(holder, key, !value);
}

function swapped(body: Body, random: Random): void {
  const places = placesIn(body);
  if (places.length < 2) return;
  const [a, b] = [random.pick(places), random.pick(places)];
  const [one, other] = [read(a.holder, a.key), read(b.holder, b.key)];
  write(a.holder, a.key, other);
  write(b.holder, b.key, one);
}

function everyValueNull(body: Body, random: Random): void {
  const holders = [body, ...placesIn(body).map(({ holder, key }) => read(holder, key))].filter(isContainer);
  const holder = random.pick(holders);
  for (const key of Object.keys(holder)) if (key !== "model" && key !== "messages") write(holder, key, null);
}

function unknownKey(body: Body, random: Random): void {
  const holders = [body, ...placesIn(body).map(({ holder, key }) => read(holder, key))].filter(isContainer);
  const objects = holders.filter((holder) => !Array.isArray(holder));
  write(random.pick(objects), random.pick([...INHERITED, "extra", "a.b", "a[0]"]), weirdValue(random));
}

/** A field with the value that another request has for it: right by itself, perhaps not beside the others. */
function fieldOfAnother(body: Body, random: Random): void {
  const model = body["model"];
  const other = validRequest(typeof model === "string" ? model : "another", random);
  const name = random.pick(Object.keys(other));
  body[name] = other[name];
}

function unsupportedWish(body: Body, random: Random): void {
  Object.assign(body, copyOf(random.pick(WISHES)));
}
