// Random requests that are right: every field of the table, messages of all roles, calls and their results. What a mutation
// then breaks is broken near something that works.
import type { FieldName } from "../../src/api/fields.ts";
import type { Random } from "../fixtures/random.ts";
import { copyOf } from "./paths.ts";

export type Body = Record<string, unknown>;

/** Each optional field is there this often. */
const FIELD_SHARE = 0.12;
const TEXTS = [
  "",
  " ",
  "Hi",
  "the sea",
  "a\nb",
  "ünïcödé",
  "日本",
  "🙂 ok",
  "<|im_end|>",
  "{{ x }}",
  "{% raw %}",
  "\u0000",
  "‮",
];
const LETTERS = [..."abc {}\"\\\n'<|>éß🙂"];
const TOOL_NAMES = ["get_weather", "f", "a-b_c", "toString"];

/** @param model one that is loaded */
export function validRequest(model: string, random: Random): Body {
  const body: Body = { model, messages: messages(random), seed: random.below(1000), max_tokens: 1 + random.below(5) };
  for (const [name, value] of Object.entries(FIELDS)) if (random.unit() < FIELD_SHARE) body[name] = value(random);
  return reconciled(body, random);
}

type Optional = Exclude<FieldName, "model" | "messages" | "seed" | "max_tokens">;

const maybe = (random: Random, share = 0.3) => random.unit() < share;
const among = <T>(...values: readonly T[]) => {
  return (random: Random) => copyOf(random.pick(values)); // a mutation may write into it
};
const between = (min: number, max: number) => (random: Random) => min + random.unit() * (max - min);
const list = <T>(random: Random, least: number, most: number, item: (random: Random) => T): T[] =>
  Array.from({ length: least + random.below(most - least + 1) }, () => item(random));

/** A value that each field takes, of those that are refused one that asks for nothing. */
const FIELDS: Readonly<Record<Optional, (random: Random) => unknown>> = {
  stream: among(true, false, null),
  stream_options: among({ include_usage: true }, {}, { include_usage: false, include_obfuscation: false }, null),
  temperature: among(0, 0.5, 1, 2, Number.MIN_VALUE),
  top_p: among(0, 0.1, 0.9, 1, Number.MIN_VALUE),
  max_completion_tokens: among(1, 2, 6),
  stop: (random) => (maybe(random) ? text(random) || "x" : list(random, 1, 4, (own) => text(own) || "e")),
  n: (random) => (maybe(random, 0.03) ? 128 : 1 + random.below(5)),
  frequency_penalty: between(-2, 2),
  presence_penalty: among(-2, 0, 2),
  logit_bias: (random) => Object.fromEntries(list(random, 0, 3, (own) => [own.below(320), own.below(201) - 100])),
  logprobs: among(true, false),
  top_logprobs: among(0, 1, 5, 20),
  reasoning_effort: among(null, undefined),
  verbosity: among(null, undefined),
  user: text,
  safety_identifier: text,
  prompt_cache_key: text,
  metadata: (random) => Object.fromEntries(list(random, 0, 3, (own) => [text(own), text(own)])),
  service_tier: among("auto", "default", "flex", "priority"),
  top_k: among(0, 1, 40, 2 ** 40),
  min_p: among(0, 0.1, 1),
  typical_p: among(0.01, 0.5, 1),
  top_n_sigma: among(0, 0.01, 1, 1e300),
  repetition_penalty: among(0.01, 1, 1.3, 100),
  dry_multiplier: among(0, 0.8, 1e300),
  dry_base: among(1, 1.75, 1e300),
  dry_allowed_length: among(0, 2, 1000),
  dry_penalty_last_n: among(-1, 0, 8),
  dry_sequence_breakers: (random) => list(random, 0, 3, (own) => text(own) || "\n"),
  xtc_probability: among(0, 0.5, 1),
  xtc_threshold: among(0, 0.1, 0.5, 1),
  min_tokens: among(0, 1, 3),
  ignore_eos: among(true, false),
  stop_token_ids: (random) => list(random, 0, 3, (own) => own.below(320)),
  chat_template_kwargs: among({}, null),
  continue_final_message: among(false, null),
  return_token_ids: among(true, false),
  prompt_logprobs: among(0, 20, null, null, null), // costly: one softmax a position
  response_format: among({ type: "text" }, null),
  modalities: among(["text"], null),
  audio: among(null),
  prediction: (random) => ({
    type: "content",
    content: random.below(2) ? text(random) : list(random, 1, 3, (own) => ({ type: "text", text: text(own) })),
  }),
  tools: among([], null),
  tool_choice: among(null),
  parallel_tool_calls: among(null),
  functions: among(null),
  function_call: among(null),
  web_search_options: among(null),
  store: among(false, null),
  moderation: among(null),
  prompt_cache_options: among({}, null),
  prompt_cache_retention: among(null),
};

/** Keeps the rules across fields. */
function reconciled(body: Body, random: Random): Body {
  if (body["top_logprobs"] !== undefined) body["logprobs"] = true;
  if (body["stream_options"]) body["stream"] = true;
  if (body["max_completion_tokens"] !== undefined) delete body["max_tokens"];
  if (body["n"] === 128) body["max_tokens"] = 1;
  if (body["n"] === 128) delete body["max_completion_tokens"];
  const limit = (body["max_tokens"] ?? body["max_completion_tokens"]) as number;
  if (typeof body["min_tokens"] === "number") body["min_tokens"] = Math.min(body["min_tokens"], limit);
  if (maybe(random, 0.1))
    body["seed"] = random.pick(["9223372036854775807", "-9223372036854775808", "-1", 2 ** 53 - 1]);
  return body;
}

function text(random: Random): string {
  if (maybe(random, 0.6)) return random.pick(TEXTS);
  return list(random, 0, 12, (own) => own.pick(LETTERS)).join("");
}

function content(random: Random): unknown {
  return maybe(random) ? list(random, 1, 3, (own) => ({ type: "text", text: text(own) })) : text(random);
}

function named(random: Random, message: Body): Body {
  return maybe(random, 0.2) ? { ...message, name: text(random) } : message;
}

/** Turns in any order; each call is followed by its results. */
function messages(random: Random): Body[] {
  const turns = list(random, 0, 3, (own): Body[] =>
    own.pick([user, instruction, answer, calls, legacyCall, refusal])(own),
  );
  return [...turns.flat(), ...random.pick([user, user, answer])(random)];
}

const user = (random: Random): Body[] => [named(random, { role: "user", content: content(random) })];
const instruction = (random: Random): Body[] => [
  named(random, { role: random.pick(["system", "developer"]), content: content(random) }),
];
const answer = (random: Random): Body[] => [
  named(random, {
    role: "assistant",
    content: content(random),
    ...(maybe(random) && { refusal: null, annotations: [] }),
  }),
];
const refusal = (random: Random): Body[] => [
  maybe(random)
    ? { role: "assistant", content: [{ type: "refusal", refusal: text(random) }] }
    : { role: "assistant", content: null, refusal: text(random) },
];
const legacyCall = (random: Random): Body[] => [
  {
    role: "assistant",
    content: null,
    function_call: { name: random.pick(TOOL_NAMES), arguments: callArguments(random) },
  },
  { role: "function", name: random.pick(TOOL_NAMES), content: maybe(random) ? null : text(random) },
];

function calls(random: Random): Body[] {
  const made = list(random, 1, 3, toolCall).map((call, place): Body => ({ id: `call_${place}`, ...call }));
  return [
    { role: "assistant", content: random.pick([null, "", text(random)]), tool_calls: made },
    ...made.map(({ id }) => ({ role: "tool", tool_call_id: id, content: content(random) })),
  ];
}

function toolCall(random: Random): Body {
  const name = random.pick(TOOL_NAMES);
  return maybe(random)
    ? { type: "custom", custom: { name, input: text(random) } }
    : { type: "function", function: { name, arguments: callArguments(random) } };
}

function callArguments(random: Random): string {
  return random.pick([
    "{}",
    '{"city":"Rome"}',
    '{"a":[1,2,{"b":null}]}',
    "null",
    "",
    '"text"',
    "{broken",
    text(random),
  ]);
}
