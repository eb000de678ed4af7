import { expect, test } from "vitest";
import { type Contender, compare, medianFigures } from "./contender.ts";

const plan = { prefill: [8], decode: 4 };
const load = { adapter: "none", features: [], loadMs: 1 };

test("each figure has its own median", () => {
  const rounds = [
    { prefill: [{ tokens: 8, perSecond: 10 }], decodePerSecond: 3 },
    { prefill: [{ tokens: 8, perSecond: 30 }], decodePerSecond: 1 },
    { prefill: [{ tokens: 8, perSecond: 20 }], decodePerSecond: 2 },
  ];
  expect(medianFigures(rounds)).toEqual({ prefill: [{ tokens: 8, perSecond: 20 }], decodePerSecond: 2 });
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
      return { prefill: [{ tokens: 8, perSecond: 1 }], decodePerSecond: 1 };
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
