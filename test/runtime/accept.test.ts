// Tokens of a draft are taken as long as they are right, and what fails beyond them is none of this step's business.
import { expect, test } from "vitest";
import { EngineError } from "../../src/base/errors.ts";
import { acceptDraft, historyAfter } from "../../src/runtime/accept.ts";
import { compilePlan } from "../../src/sampling/plan.ts";
import { options } from "../sampling/options.ts";

const drawing = (tokens: readonly number[]) => {
  const asked: number[] = [];
  const draw = (place: number) => {
    asked.push(place);
    return { token: tokens[place]! };
  };
  return { asked, draw };
};

test.each<[string, number[], number[], number[]]>([
  ["all of it is right: one more comes after it", [1, 2, 3], [1, 2, 3, 4], [1, 2, 3, 4]],
  ["its second token is another: that is the last", [1, 2, 3], [1, 9, 3, 4], [1, 9]],
  ["none is right: one token, as without a draft", [1, 2, 3], [9, 2, 3, 4], [9]],
  ["no draft: one token", [], [5], [5]],
])("%s", (_, draft, drawn, accepted) => {
  const { asked, draw } = drawing(drawn);
  expect(acceptDraft(draft, draw).map(({ token }) => token)).toEqual(accepted);
  // Nothing is drawn that nobody will have.
  expect(asked).toEqual(accepted.map((_token, place) => place));
});

test("a draw that fails behind right tokens ends the row there; the first one's failure is the row's", () => {
  const fault = new EngineError("numeric_fault", "NaN.");
  const failingAt = (at: number) => (place: number) => {
    if (place === at) throw fault;
    return { token: place };
  };
  expect(acceptDraft([0, 1, 2], failingAt(2))).toEqual([{ token: 0 }, { token: 1 }]);
  expect(() => acceptDraft([0, 1, 2], failingAt(0))).toThrow(fault);
});

test("the history grows by the draft: in full for plans that look back, else by its length alone", () => {
  const history = { prompt: [7], sampled: [1, 2] };
  const after = (asked: Parameters<typeof options>[0], place: number) =>
    historyAfter(history, [3, 4, 5], place, compilePlan(options(asked)));
  expect(after({ frequencyPenalty: 1 }, 2)).toEqual({ prompt: [7], sampled: [1, 2, 3, 4] });
  expect(after({}, 2)).toEqual({ prompt: [7], sampled: { length: 4 } });
  expect(after({}, 0)).toEqual(history);
});
