// What our extensions become in a checked request.
import { describe, expect, test } from "vitest";
import { parse } from "./parse.ts";

const { sampling: DEFAULTS } = parse({ seed: 1 });
const code = (character: string) => character.charCodeAt(0);

/** Fields, and what they add to the sampling options: nothing where a field is off. */
const SAMPLING: [fields: object, added: object][] = [
  [{ top_k: 40 }, { topK: 40 }],
  [{ top_k: 0 }, {}],
  [{ min_p: 0.1 }, { minP: 0.1 }],
  [{ min_p: 0 }, {}],
  [{ typical_p: 0.5 }, { typicalP: 0.5 }],
  [{ typical_p: 1 }, {}],
  [{ top_n_sigma: 1.5 }, { topNSigma: 1.5 }],
  [{ top_n_sigma: 0 }, {}],
  [{ repetition_penalty: 1.1 }, { repetitionPenalty: 1.1 }],
  [{ xtc_probability: 0.5 }, { xtc: { probability: 0.5, threshold: 0.1 } }],
  [{ xtc_probability: 1, xtc_threshold: 0.5 }, { xtc: { probability: 1, threshold: 0.5 } }],
  [{ xtc_probability: 1, xtc_threshold: 0.51 }, {}],
  [{ xtc_probability: 0, xtc_threshold: 0.2 }, {}],
  [{ xtc_threshold: 0.2 }, {}],
  [{ min_tokens: 3 }, { minTokens: { count: 3, heldBack: new Set([2]) } }],
  [{ min_tokens: 3, stop_token_ids: [7, 8, 7] }, { minTokens: { count: 3, heldBack: new Set([2, 7, 8]) } }],
  [{ min_tokens: 3, stop_token_ids: [7], ignore_eos: true }, { minTokens: { count: 3, heldBack: new Set([7]) } }],
  [{ min_tokens: 3, ignore_eos: true }, {}],
  [{ min_tokens: 0 }, {}],
  [{ dry_multiplier: 0, dry_base: 2 }, {}],
  [{ dry_base: 2, dry_allowed_length: 1, dry_sequence_breakers: ["x"] }, {}],
  [{ dry_multiplier: 0.8, dry_penalty_last_n: 0 }, {}],
]; // biome-ignore format: a table

test.each(SAMPLING)("%j", (fields, added) => {
  expect(parse({ seed: 1, ...fields }).sampling).toEqual({ ...DEFAULTS, ...added });
});

describe("DRY", () => {
  test("has its published defaults, and looks at the whole context", () => {
    expect(parse({ dry_multiplier: 0.8 }).sampling.dry).toEqual({
      multiplier: 0.8,
      base: 1.75,
      allowedLength: 2,
      breakers: new Set([code("\n"), code(":"), code('"'), code("*")]),
    });
  });

  test("takes each value as given", () => {
    const fields = { dry_multiplier: 1, dry_base: 1, dry_allowed_length: 0, dry_penalty_last_n: 64 };
    expect(parse({ ...fields, dry_sequence_breakers: [] }).sampling.dry).toEqual({
      multiplier: 1,
      base: 1,
      allowedLength: 0,
      lastTokens: 64,
      breakers: new Set(),
    });
  });

  test("breaks at the last token of each breaker, as it stands after text", () => {
    const encoded: unknown[] = [];
    const encode = (text: unknown, options: unknown) => {
      encoded.push([text, options]);
      return Int32Array.of(5, text === "ab" ? 6 : 8);
    };
    const tokenizer = { vocabSize: 1000, endIds: new Set([2]), encode };
    const { dry } = parse({ dry_multiplier: 1, dry_sequence_breakers: ["b", "cd", "b"] }, { tokenizer }).sampling;
    expect(dry?.breakers).toEqual(new Set([6, 8]));
    expect(encoded[1]).toEqual(["acd", { addBos: false, addEos: false }]);
  });
});

test("what ends an answer, and what comes with it", () => {
  expect(parse({ stop_token_ids: [7, 8, 7], ignore_eos: true })).toMatchObject({
    stopTokenIds: [7, 8],
    ignoreEos: true,
  });
  expect(parse({ return_token_ids: true, prompt_logprobs: 0 })).toMatchObject({
    returnTokenIds: true,
    promptLogprobs: 0,
  });
});

test("the final message goes on when it is the assistant's, unless that is refused", () => {
  const assistantLast = [
    { role: "user", content: "Hi" },
    { role: "assistant", content: "Well" },
  ];
  const continues = (fields: object) => parse(fields).continueFinalMessage;
  expect(continues({})).toBe(false);
  expect(continues({ continue_final_message: false })).toBe(false);
  expect(continues({ messages: assistantLast })).toBe(true);
  expect(continues({ messages: assistantLast, continue_final_message: true })).toBe(true);
  expect(continues({ messages: assistantLast, continue_final_message: false })).toBe(false);
});
