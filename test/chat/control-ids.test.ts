// No text of a caller becomes a control token: judged on token ids, over every template at hand, with its own control tokens.
import { beforeAll, describe, expect, test } from "vitest";
import type { Json } from "../../src/base/json.ts";
import type { ChatMessage } from "../../src/chat/message.ts";
import { type ChatTemplate, createTemplate } from "../../src/chat/template.ts";
import { Metadata, type MetadataValue, StringArray } from "../../src/gguf/metadata.ts";
import { createTokenizer, type Tokenizer } from "../../src/tokenizer/tokenizer.ts";
import { createRandom } from "../fixtures/random.ts";
import { loadMetadata } from "../tokenizer/vocabularies.ts";
import { demandedVariables, SPECIALS, TEMPLATES } from "./templates.ts";

/** Control texts that a template writes, as its model's vocabulary has them. */
const MARKERS =
  /<\|"\|>|<\|[\w▁ /]+\|?>|<[\w]+\|>|<｜[^｜<>]+｜>|<\/?seed:\w+>|<SPECIAL_\d+>|<(?:start|end)_of_\w+>|\[\/?[A-Z_]{3,}\]/g;
const markersOf = (name: string): string[] => [
  ...new Set([SPECIALS.bosText, SPECIALS.eosText, ...(TEMPLATES[name]!.match(MARKERS) ?? [])]),
];

/** Qwen3's vocabulary, in which the markers of all templates are control tokens too. */
async function vocabularyWithAllMarkers(): Promise<Tokenizer> {
  const base = await loadMetadata("qwen3");
  const values = new Map<string, MetadataValue>([...base.keys()].map((key) => [key, base.get(key)!]));
  const tokens = [...base.strings("tokenizer.ggml.tokens")!];
  const known = new Set(tokens);
  const added = [...new Set(Object.keys(TEMPLATES).flatMap(markersOf))].filter((text) => !known.has(text));
  const CONTROL = 3;
  const types = [...base.numbers("tokenizer.ggml.token_type")!, ...added.map(() => CONTROL)];
  values.set("tokenizer.ggml.tokens", StringArray.from([...tokens, ...added]));
  values.set("tokenizer.ggml.token_type", Int32Array.from(types));
  return createTokenizer(new Metadata(values));
}

let tokenizer: Tokenizer;
beforeAll(async () => {
  tokenizer = await vocabularyWithAllMarkers();
});

interface Prompt {
  readonly messages: readonly ChatMessage[];
  readonly tools?: readonly Json[];
  readonly variables?: { readonly [name: string]: Json };
  readonly continueFinalMessage?: boolean;
}

const HI: ChatMessage = { role: "user", content: "Hi" };
const calling = (name: string, text: string): ChatMessage => ({
  role: "assistant",
  content: null,
  tool_calls: [{ id: "call00001", type: "function", function: { name, arguments: text } }],
});
const result = (content: string, name = "f"): ChatMessage => ({
  role: "tool",
  tool_call_id: "call00001",
  name,
  content,
});
const tool = (text: string): Json => ({
  type: "function",
  function: {
    name: "f",
    description: text,
    parameters: { type: "object", properties: { a: { type: "string", description: text, enum: [text] } }, required: ["a"] },
  },
}); // biome-ignore format: one schema

/** Where callers write: a prompt with a text in that place. */
const PLACES: Readonly<Record<string, (text: string) => Prompt>> = {
  content: (text) => ({ messages: [{ role: "user", content: text }] }),
  parts: (text) => ({ messages: [{ role: "user", content: [{ type: "text", text }, { type: "text", text }] }] }),
  system: (text) => ({ messages: [{ role: "system", content: text }, HI] }),
  developer: (text) => ({ messages: [{ role: "system", content: text }, { role: "developer", content: text }, HI] }),
  name: (text) => ({ messages: [{ role: "user", name: text, content: "Hi" }] }),
  history: (text) => ({ messages: [HI, { role: "assistant", content: text }, HI] }),
  reasoning: (text) => ({ messages: [HI, { role: "assistant", content: "A", reasoning_content: text }, HI] }),
  "tool result": (text) => ({ messages: [HI, calling("f", "{}"), result(text)] }),
  "tool name": (text) => ({ messages: [HI, calling(text, "{}"), result("1", text)] }),
  "tool arguments": (text) => ({ messages: [HI, calling("f", JSON.stringify({ a: text, [text]: [text] })), result("1")] }),
  "broken arguments": (text) => ({ messages: [HI, calling("f", text), result("1")] }),
  "tool schema": (text) => ({ messages: [HI], tools: [tool(text)] }),
  "continued message": (text) => ({ messages: [HI, { role: "assistant", content: text }], continueFinalMessage: true }),
}; // biome-ignore format: one place a line

/** The variables of a template are places too; some are lists. */
const VALUES: Readonly<Record<string, (text: string) => Json>> = {
  custom_tools: (text) => [tool(text)],
  documents: (text) => [{ title: text, [text]: text }],
  builtin_tools: (text) => [text],
};
const variablePlaces = (name: string): [string, (text: string) => Prompt][] =>
  [...createTemplate({ source: TEMPLATES[name]!, ...SPECIALS, controlPieces: [] }).variables].map((variable) => [
    `variable ${variable}`,
    (text) => ({ messages: [HI], variables: { [variable]: VALUES[variable]?.(text) ?? text } }),
  ]);

const NEUTRAL = "word and word go on, and so it does";
const POSITIONS = [...Array(20).keys()].map((i) => Math.floor((i * NEUTRAL.length) / 19));
const CASES_PER_PLACE = 5; // single positions, drawn anew for each place and template

/** Each source once: some models share theirs. */
const NAMES = Object.keys(TEMPLATES).filter(
  (name, i, all) => all.findIndex((other) => TEMPLATES[other] === TEMPLATES[name]) === i,
);

let cases = 0;
/** Places that a template refuses whatever stands in them. */
const refused: string[] = [];

describe.each(NAMES)("%s", (name) => {
  let template: ChatTemplate;
  const pieces = () => [...new Set([...markersOf(name), ...tokenizer.controlPieces.slice(0, 4)])];
  beforeAll(() => {
    const { controlPieces } = tokenizer;
    template = createTemplate({ source: TEMPLATES[name]!, ...SPECIALS, controlPieces });
  });

  /** The control tokens of the prompt, by id and in order; undefined where the template refuses what the place holds. */
  function controlIds({ messages, tools, variables, continueFinalMessage = false }: Prompt): string | undefined {
    const options = { addGenerationPrompt: true, continueFinalMessage, ...(tools && { tools }), now: new Date(0) };
    try {
      const segments = template.render(messages, {
        ...options,
        variables: { ...demandedVariables(name), ...variables },
      });
      const ids = tokenizer.encode(segments, { addBos: false, addEos: false });
      return [...ids].filter((id) => tokenizer.kind(id) === "control").join(" ");
    } catch (error) {
      if ((error as { code?: string }).code === "template_error") return undefined;
      throw error;
    }
  }

  test.each([...Object.entries(PLACES), ...variablePlaces(name)])("%s", (place, promptWith) => {
    const inPlace = (text: string) => controlIds(promptWith(text));
    const harmless = inPlace(NEUTRAL);
    if (harmless === undefined) refused.push(`${name}: ${place}`);
    const hostile = (text: string): void => {
      cases++;
      expect(inPlace(text), text).toBe(harmless);
    };
    const insert = (piece: string, at: number): string => NEUTRAL.slice(0, at) + piece + NEUTRAL.slice(at);
    for (const piece of pieces()) {
      // At all twenty positions at once: none of them may let it through.
      hostile(POSITIONS.map((at, i) => NEUTRAL.slice(at, POSITIONS[i + 1]) + piece).join(""));
      hostile(piece + piece);
    }
    const random = createRandom(name.length * 1000 + place.length);
    for (let i = 0; i < CASES_PER_PLACE; i++) {
      const piece = random.pick(pieces());
      const half = 1 + random.below(piece.length - 1);
      const mark = String.fromCharCode(0xe000 + random.below(6400));
      hostile(insert(piece, random.pick(POSITIONS)));
      hostile(piece.slice(0, half) + piece + piece.slice(half)); // what is left when the inner one is taken out
      hostile(`${NEUTRAL.slice(0, 4)}${piece.slice(0, half)}${mark}${piece.slice(half)}${NEUTRAL.slice(4)}`);
    }
  });

  test("halves in neighbouring texts", () => {
    const halves = (first: string, second: string): Prompt[] => [
      { messages: [{ role: "user", name: first, content: second }] },
      { messages: [{ role: "user", content: [{ type: "text", text: first }, { type: "text", text: second }] }] },
      { messages: [{ role: "system", content: first }, { role: "user", content: second }] },
      { messages: [HI, calling(first, second), result(second)] },
      { messages: [HI, { role: "assistant", content: first }, { role: "user", content: second }] },
    ]; // biome-ignore format: one prompt a line
    const harmless = halves("word", "word").map(controlIds);
    for (const piece of pieces()) {
      const cut = Math.ceil(piece.length / 2);
      const ids = halves(piece.slice(0, cut), piece.slice(cut)).map(controlIds);
      cases += ids.length;
      expect(ids, piece).toEqual(harmless);
    }
  });
});

/** A budget is a number, and the interpreter has no `reject("equalto", …)`. */
const REFUSED = [
  "ByteDance-Seed-OSS.jinja: variable thinking_budget",
  "meta-llama-Llama-3.1-8B-Instruct.jinja: variable builtin_tools",
];

test("the judgement is not empty: own control tokens, many prompts, few refusals", () => {
  for (const name of NAMES) expect(markersOf(name).length, name).toBeGreaterThanOrEqual(2); // RWKV's are bos and eos
  console.info(`${cases} hostile prompts`);
  expect(cases).toBeGreaterThan(NAMES.length * 500);
  expect(refused).toEqual(REFUSED.filter((entry) => NAMES.includes(entry.split(": ")[0]!)));
});
