// How long drafts are, and from where: by what has become of those before.
import { expect, test } from "vitest";
import { createDrafter, type DrafterOptions } from "../../src/engine/draft.ts";

const COUNT = Array.from({ length: 400 }, (_, place) => place);
const NO_ENDS = { endIds: new Set<number>(), lookup: false, prompt: [] };

/** Lengths of drafts of a prediction whose first tokens come true, and then what `right` says of each draft. */
function lengths(right: (drafted: number) => number, steps: number, options: Partial<DrafterOptions> = {}): number[] {
  const drafter = createDrafter({ ...NO_ENDS, prediction: COUNT, ...options });
  return Array.from({ length: steps }, (_, step) => {
    const { length } = drafter.draft(COUNT.slice(0, step + 1), 100);
    drafter.verified(length, Math.min(right(length), length));
    return length;
  });
}

test("drafts stay long while they are right", () => {
  expect(lengths((drafted) => drafted, 5)).toEqual([16, 16, 16, 16, 16]);
});

test("they follow what was right, and grow again", () => {
  expect(lengths(() => 3, 4)).toEqual([16, 6, 6, 6]);
  let step = 0;
  expect(lengths((drafted) => (step++ === 0 ? 1 : drafted), 5)).toEqual([16, 2, 4, 8, 16]);
});

test("all wrong, they halve, then rest for longer and longer", () => {
  const rests = (length: number) => [...Array(length).fill(0), 1];
  expect(lengths(() => 0, 61)).toEqual([16, 8, 4, 2, 1, ...rests(8), ...rests(16), ...Array(30).fill(0)]);
});

test("a draft never goes on from a token that ends the answer, nor over the room", () => {
  const drafter = createDrafter({ ...NO_ENDS, prediction: COUNT, endIds: new Set([5]) });
  expect(drafter.draft([0, 1], 10)).toEqual([2, 3, 4]);
  expect(drafter.draft([0, 1], 2)).toEqual([2, 3]);
  expect(drafter.draft([0, 1, 2, 3, 4], 10)).toEqual([]);
  expect(drafter.draft([0, 1, 2], 0)).toEqual([]);
});

test("a prediction goes before what could be looked up, and where it has no idea that is tried", () => {
  const prompt = [50, 51, 52, 53, 54, 55, 56];
  const drafter = createDrafter({ prompt, prediction: [50, 51, 52, 99, 98], lookup: true, endIds: new Set() });
  expect(drafter.draft([50, 51, 52], 10)).toEqual([99, 98]);
  drafter.verified(2, 0);
  expect(drafter.draft([50, 51, 52, 53], 10)).toEqual([54, 55, 56, 50]);
  drafter.verified(4, 3);
  const answer = [50, 51, 52, 53, 54, 55, 56, 7];
  expect(drafter.counts(answer)).toEqual({ accepted: 3, rejected: 2 });
});

test("without either there is nothing to draft and nothing to count", () => {
  const drafter = createDrafter(NO_ENDS);
  expect(drafter.draft([1, 2, 3, 1, 2, 3], 10)).toEqual([]);
  drafter.verified(0, 0);
  expect(drafter.counts([1])).toEqual({ accepted: 0, rejected: 0 });
});
