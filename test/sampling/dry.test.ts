// DRY by hand, and against the definition's plain loops on random histories.
import { expect, test } from "vitest";
import { applyDry } from "../../src/sampling/dry.ts";
import type { DryOptions } from "../../src/sampling/plan.ts";
import { philox4x32 } from "../../src/sampling/rng.ts";
import { options } from "./options.ts";
import { referenceDistribution, referenceDry } from "./reference.ts";

const VOCAB = 10;

/** What is taken from each token's logit, 0 left out. */
function penalties(prompt: readonly number[], sampled: readonly number[], change: Partial<DryOptions>) {
  const dry = { multiplier: 1, base: 2, allowedLength: 2, breakers: new Set<number>(), ...change };
  const logits = new Float32Array(VOCAB);
  const longest = new Uint32Array(VOCAB);
  applyDry(logits, prompt, sampled, dry, longest);
  expect(longest).toEqual(new Uint32Array(VOCAB));
  return Object.fromEntries([...logits.entries()].filter(([, logit]) => logit !== 0).map(([t, logit]) => [t, -logit]));
}

test.each([
  ["a match shorter than allowed costs nothing", [1, 2, 9, 2], [], {}, {}],
  ["a match as long as allowed costs the multiplier", [1, 2, 3, 9, 1, 2], [], {}, { 3: 1 }],
  ["each token more costs the base once more", [0, 1, 2, 3, 9, 0, 1, 2], [], {}, { 3: 2 }],
  ["the longest match counts", [0, 1, 2, 3, 9, 1, 2, 3, 8, 0, 1, 2], [], {}, { 3: 2 }],
  ["every token that followed is lowered", [1, 2, 3, 1, 2, 4, 1, 2], [], {}, { 3: 1, 4: 1 }],
  ["prompt and answer are one history", [1, 2, 3, 9, 1], [2], {}, { 3: 1 }],
  ["matches may overlap the end", [5, 5, 5, 5], [], {}, { 5: 2 }],
  ["a match ends at a breaker", [0, 7, 2, 3, 9, 0, 7, 2], [], { breakers: new Set([7]), allowedLength: 1 }, { 3: 1 }],
  ["after a breaker nothing is followed", [1, 2, 3, 9, 1, 2], [], { breakers: new Set([2]) }, {}],
  ["a breaker is not lowered", [1, 2, 3, 9, 1, 2], [], { breakers: new Set([3]) }, {}],
  ["only the last tokens are looked at", [1, 2, 3, 9, 1, 2], [], { lastTokens: 5 }, {}],
  ["the window holds the match whole", [1, 2, 3, 9, 1, 2], [], { lastTokens: 6 }, { 3: 1 }],
  ["no window", [1, 2, 3, 9, 1, 2], [], { lastTokens: 0 }, {}],
  ["no history", [], [], {}, {}],
  ["an allowed length of 0 still needs a match", [1, 2, 3, 9, 1, 2], [], { allowedLength: 0 }, { 3: 4 }],
] as [string, number[], number[], Partial<DryOptions>, Record<number, number>][])("%s", (...row) => {
  const [, prompt, sampled, change, expected] = row;
  expect(penalties(prompt, sampled, change)).toEqual(expected);
});

test("2,000 random histories give what the definition gives", () => {
  for (let i = 0; i < 2000; i++) {
    const [a, b, c, d] = philox4x32([i, 0, 0, 0], [6, 6]);
    const history = Array.from({ length: a % 40 }, (_, k) => philox4x32([k, i, 0, 0], [6, 7])[0] % (2 + (b % 4)));
    const dry = {
      multiplier: 0.75,
      base: 1.5,
      allowedLength: c % 5,
      breakers: new Set(d % 3 === 0 ? [0] : []),
      ...(d % 2 === 0 && { lastTokens: d % 50 }),
    };
    const expected = [...referenceDry(history, dry)].map(([token, penalty]) => [token, Math.fround(penalty)] as const);
    const split = a % (history.length + 1);
    const given = penalties(history.slice(0, split), history.slice(split), dry);
    for (const [token, penalty] of expected) expect(given[token]! / penalty).toBeCloseTo(1, 6);
    expect(Object.keys(given)).toHaveLength(expected.length);
  }
});

test.each([
  [1e30, 1e30, 1],
  [1e300, 1e300, 1],
  [0.5, 1.75, 0.5],
])("multiplier %d, base %d: the power stops at the largest f32", (multiplier, base, share) => {
  const history = new Array<number>(3000).fill(4);
  expect(penalties(history, [], { multiplier, base })).toEqual({ 4: share * 3.4028234663852886e38 });
});

test("a base of 0 leaves the multiplier to matches of the allowed length, finite even where it is no f32", () => {
  expect(penalties([1, 2, 3, 9, 1, 2], [], { multiplier: 1e300, base: 0 })).toEqual({ 3: 3.4028234663852886e38 });
  expect(penalties([0, 1, 2, 3, 9, 0, 1, 2], [], { multiplier: 1e300, base: 0 })).toEqual({});
});

test("a history of 300,000 equal tokens, where pairwise comparison would take 10^10 steps", () => {
  expect(penalties(new Array<number>(300_000).fill(4), [], { base: 1 })).toEqual({ 4: 1 });
});

test("a token that is ruled out stays so, and one at the end of the range stays finite", () => {
  const logits = Float32Array.of(-Infinity, -3.4e38, 0);
  const dry = { multiplier: 1e38, base: 1, allowedLength: 1, breakers: new Set<number>() };
  applyDry(logits, [2, 0, 2, 1, 2], [], dry, new Uint32Array(3));
  expect([...logits]).toEqual([-Infinity, -3.4028234663852886e38, 0]);
});

test("the reference takes the penalty before the softmax", () => {
  const dry = { multiplier: Math.log(2), base: 1, allowedLength: 1, breakers: new Set<number>() };
  const p = referenceDistribution([0, 0], options({ dry }), { prompt: [0, 0], sampled: [] });
  expect(p[0]).toBeCloseTo(1 / 3, 12);
});
