// Probabilities in percent and in bands, and the colours of the bands measured against the ink on them.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { oddsOf } from "../../../demo/tokens/alternatives.ts";
import { BANDS, bandOf, percentOf } from "../../../demo/tokens/probability.ts";

test.each([
  [0, "100%", 0],
  [Math.log(0.99999), ">99.9%", 0],
  [Math.log(0.873), "87.3%", 1],
  [Math.log(0.9), "90.0%", 0],
  [Math.log(0.45), "45.0%", 2],
  [Math.log(0.2), "20.0%", 3],
  [Math.log(0.0123), "1.2%", 4],
  [Math.log(0.004), "0.40%", 5],
  [-30, "<0.01%", 5],
  [-9999, "<0.01%", 5],
])("exp(%d) is %s in band %d", (logprob, percent, band) => {
  expect(percentOf(logprob)).toBe(percent);
  expect(bandOf(logprob)).toBe(band);
});

describe("alternatives", () => {
  const row = (token: string, probability: number) => ({ token, logprob: Math.log(probability), bytes: null });
  const top = [row("a", 0.5), row("b", 0.3)];

  test("the chosen token among them is marked, and the rest is summed", () => {
    const { rows, others } = oddsOf({ ...row("b", 0.3), top_logprobs: top });
    expect(rows.map(({ token, chosen }) => [token.token, chosen])).toEqual([
      ["a", false],
      ["b", true],
    ]);
    expect(others).toBeCloseTo(0.2);
  });

  test("a chosen token that is not among them is added where it belongs", () => {
    const { rows, others } = oddsOf({ ...row("c", 0.05), top_logprobs: top });
    expect(rows.map(({ token }) => token.token)).toEqual(["a", "b", "c"]);
    expect(others).toBeCloseTo(0.15);
  });

  test("without any, the token stands alone", () => {
    expect(oddsOf({ ...row("a", 1), top_logprobs: [] })).toMatchObject({ rows: [{ chosen: true }], others: 0 });
  });
});

describe("colours", () => {
  const READABLE = 4.5; // WCAG 2.2, 1.4.3
  const style = (name: string) => readFileSync(new URL(`../../../demo/styles/${name}.css`, import.meta.url), "utf8");
  const base = style("base").split("@media (prefers-color-scheme: dark)");
  const tokens = style("tokens").split("@media (prefers-color-scheme: dark)");
  const colour = (css: string, name: string) => {
    const hex = new RegExp(`--${name}: #([0-9a-f]{6})`).exec(css)?.[1] ?? expect.fail(`no --${name}`);
    return [0, 2, 4].map((at) => Number.parseInt(hex.slice(at, at + 2), 16) / 255);
  };
  /** Relative luminance, WCAG 2.2. */
  const luminance = (channels: readonly number[]) => {
    const [r, g, b] = channels.map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
  };

  test.each([
    ["light", 0],
    ["dark", 1],
  ] as const)("in the %s scheme the ink is readable on every band", (_, scheme) => {
    const contrasts = BANDS.map((_, band) => {
      const [dark, light] = [colour(base[scheme]!, "ink"), colour(tokens[scheme]!, `band-${band}`)]
        .map(luminance)
        .sort((a, b) => a - b);
      return (light! + 0.05) / (dark! + 0.05);
    });
    expect(Math.min(...contrasts)).toBeGreaterThan(READABLE);
  });
});
