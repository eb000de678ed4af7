// Rope frequencies against values computed by transformers' modeling_rope_utils.py formulas, by hand where they are simple.
import { expect, test } from "vitest";
import { buildRopeTable, ropeFrequency } from "../../src/kernels/rope-table.ts";

const none = { kind: "none" } as const;

test("a pair turns by base^(-2 pair / dimension) at each position", () => {
  const table = buildRopeTable({ base: 10_000, dimension: 4, scaling: none }, 3);
  const expected = [0, 1, 2].flatMap((at) => [Math.cos(at), Math.sin(at), Math.cos(at / 100), Math.sin(at / 100)]);
  expect(table).toEqual(Float32Array.from(expected));
});

test("linear scaling divides positions, factors divide frequencies", () => {
  const options = { base: 10_000, dimension: 4, scaling: { kind: "linear", factor: 4 } } as const;
  expect(ropeFrequency(options, 1)).toBeCloseTo(0.01 / 4, 12);
  expect(ropeFrequency({ ...options, scaling: none, factors: [1, 8] }, 1)).toBeCloseTo(0.01 / 8, 12);
});

test("llama3 keeps fast pairs, divides slow ones and blends between", () => {
  const scaling = {
    kind: "llama3",
    factor: 8,
    lowFrequencyFactor: 1,
    highFrequencyFactor: 4,
    originalContextLength: 8192,
  } as const;
  const options = { base: 500_000, dimension: 128, scaling };
  const plain = (pair: number) => 500_000 ** ((-2 * pair) / 128);
  expect(ropeFrequency(options, 0)).toBe(1);
  expect(ropeFrequency(options, 63)).toBeCloseTo(plain(63) / 8, 15);
  // Pair 30 turns 8192 * 500000^(-60/128) / 2 pi = 2.78 times: (2.78 - 1) / 3 of it is kept.
  const turns = (8192 * plain(30)) / (2 * Math.PI);
  const kept = (turns - 1) / 3;
  expect(kept).toBeGreaterThan(0.1);
  expect(kept).toBeLessThan(0.9);
  expect(ropeFrequency(options, 30)).toBeCloseTo(plain(30) * kept + (plain(30) / 8) * (1 - kept), 12);
});

test("yarn keeps pairs up to betaFast turns, divides from betaSlow on, and scales cos and sin", () => {
  const scaling = {
    kind: "yarn",
    factor: 4,
    originalContextLength: 32_768,
    betaFast: 32,
    betaSlow: 1,
    attentionFactor: 1.138629436111989, // 0.1 ln 4 + 1
  } as const;
  const options = { base: 1_000_000, dimension: 128, scaling };
  const plain = (pair: number) => 1_000_000 ** ((-2 * pair) / 128);
  // Correction range: floor(23.6) to ceil(39.65).
  expect(ropeFrequency(options, 23)).toBe(plain(23));
  expect(ropeFrequency(options, 40)).toBeCloseTo(plain(40) / 4, 15);
  const ramp = (30 - 23) / (40 - 23);
  expect(ropeFrequency(options, 30)).toBeCloseTo(plain(30) * (1 - ramp + ramp / 4), 12);
  expect(buildRopeTable(options, 1)[0]).toBeCloseTo(scaling.attentionFactor, 6);
});
