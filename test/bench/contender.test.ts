import { expect, test } from "vitest";
import { type Contender, compare, FIGURE, medianFigures, rivalFigures } from "./contender.ts";

const plan = { prefill: [8], decode: 4, depths: [], streams: 2, turn: 8, edit: 8 };
const load = { adapter: "none", features: [], loadMs: 1 };

test("each figure has its own median", () => {
  const rounds = [
    { figures: { [FIGURE.prefill(8)]: 10, [FIGURE.decode(0)]: 3 } },
    { figures: { [FIGURE.prefill(8)]: 30, [FIGURE.decode(0)]: 1 } },
    { figures: { [FIGURE.prefill(8)]: 20, [FIGURE.decode(0)]: 2 } },
  ];
  expect(medianFigures(rounds)).toEqual({ figures: { "prefill 8, tok/s": 20, "decode at 0, tok/s": 2 } });
});

test("a rival's figures stand in the rows of ours", () => {
  expect(rivalFigures({ prefill: { 8: 1 }, firstToken: { 8: 2 }, decode: { 0: 3, 1000: 4 } })).toEqual({
    figures: {
      "prefill 8, tok/s": 1,
      "first token after 8, s": 2,
      "decode at 0, tok/s": 3,
      "decode at 1000, tok/s": 4,
    },
  });
});

test("rounds are interleaved, and whoever fails is out with its reason and closed, while the others go on", async () => {
  const calls: string[] = [];
  const contender = (name: string, failing?: "open" | "round"): Contender => ({
    name,
    async open() {
      if (failing === "open") throw new Error("no driver");
      return load;
    },
    async round() {
      calls.push(name);
      if (failing === "round") throw new Error("no memory");
      return { figures: { [FIGURE.prefill(8)]: 1 } };
    },
    async close() {
      calls.push(`close ${name}`);
    },
  });
  const contenders = [contender("a"), contender("b", "open"), contender("c", "round"), contender("d")];
  const { outcomes, skipped } = await compare(contenders, 2, plan, () => {});
  expect(calls).toEqual(["close b", "a", "c", "close c", "d", "a", "d", "close a", "close d"]);
  expect(outcomes.map(({ name, rounds }) => [name, rounds.length])).toEqual([
    ["a", 2],
    ["d", 2],
  ]);
  expect(skipped).toEqual([
    { name: "b", reason: "no driver" },
    { name: "c", reason: "no memory" },
  ]);
});
