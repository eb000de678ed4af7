// XTC on probabilities written by hand, and its coin.
import { expect, test } from "vitest";
import { compilePlan } from "../../src/sampling/plan.ts";
import { keyOfSeed, PURPOSE, philox4x32 } from "../../src/sampling/rng.ts";
import { sample } from "../../src/sampling/sampler.ts";
import { excludeTopChoices, tossXtcCoin } from "../../src/sampling/xtc.ts";
import { candidatesFor, tokensOf } from "./candidates-for.ts";
import { options } from "./options.ts";

function kept(logits: ArrayLike<number>, threshold: number): number[] {
  const candidates = candidatesFor(logits);
  excludeTopChoices(candidates, threshold);
  expect(candidates.distances[candidates.best]).toBe(0);
  return tokensOf(candidates);
}

const FIVE = [0.1, 0.4, 0.2, 0.05, 0.25].map(Math.log);

test.each([
  [0.39, [0, 1, 2, 3, 4]],
  [0.26, [0, 1, 2, 3, 4]],
  [0.24, [0, 2, 3, 4]],
  [0.19, [0, 2, 3]],
  [0.09, [0, 3]],
  [0.04, [3]],
  [0, [3]],
])("threshold %d keeps %j: of the tokens that reach it the least likely, and those below", (threshold, tokens) => {
  expect(kept(FIVE, threshold)).toEqual(tokens);
});

test("of equally likely tokens the last in the order, which has the highest id, counts as the least likely", () => {
  expect(kept([5, 5, 5, 0], 0.1)).toEqual([2, 3]);
  expect(kept([5, 5], 0.5)).toEqual([1]);
});

test("above 1/2 it does nothing and is no step; so with probability 0", () => {
  const names = (probability: number, threshold: number): string[] =>
    compilePlan(options({ xtc: { probability, threshold } })).steps.map(({ name }) => name);
  expect(names(1, 0.5)).toEqual(["xtc", "draw"]);
  expect(names(1, 0.51)).toEqual(["draw"]);
  expect(names(0, 0.1)).toEqual(["draw"]);
  for (const logits of [FIVE, [5, 5], [9, 0]]) expect(kept(logits, 0.51)).toEqual([...logits.keys()]);
});

test("the coin falls with its probability, by seed, index and choice, and never at 0, always at 1", () => {
  const tosses = Array.from({ length: 10_000 }, (_, index) => tossXtcCoin(0.3, 7n, index, 0));
  const share = tosses.filter(Boolean).length / tosses.length;
  expect(Math.abs(share - 0.3)).toBeLessThan(3 * Math.sqrt((0.3 * 0.7) / tosses.length));
  const first = tosses.slice(0, 100);
  const others = [
    first.map((_, index) => tossXtcCoin(0.3, 8n, index, 0)),
    first.map((_, index) => tossXtcCoin(0.3, 7n + (1n << 32n), index, 0)),
    first.map((_, index) => tossXtcCoin(0.3, 7n, index, 1)),
  ];
  for (const other of others) expect(other).not.toEqual(first);
  expect(first.map((_, index) => tossXtcCoin(0, 7n, index, 0))).not.toContain(true);
  expect(first.map((_, index) => tossXtcCoin(1, 7n, index, 0))).not.toContain(false);
});

test("the coin is the first word of Philox at a counter that no draw uses", () => {
  const [bits] = philox4x32([0, 12, 3, 1], keyOfSeed(99n));
  expect(tossXtcCoin((bits + 1) / 2 ** 32, 99n, 12, 3)).toBe(true);
  expect(tossXtcCoin(bits / 2 ** 32, 99n, 12, 3)).toBe(false);
  expect(PURPOSE.xtc).not.toBe(PURPOSE.draw);
});

test("where the coin does not act, the draw is the one without XTC", () => {
  const row = Float32Array.from(FIVE);
  for (let seed = 0n; seed < 200n; seed++) {
    const history = { prompt: [], sampled: [] };
    const xtc = { probability: 0.5, threshold: 0.19 };
    const plain = sample(row, compilePlan(options({ seed })), history).token;
    const { token } = sample(row, compilePlan(options({ seed, xtc })), history);
    if (!tossXtcCoin(0.5, seed, 0, 0)) expect(token).toBe(plain);
    else expect([0, 2, 3]).toContain(token);
  }
});
