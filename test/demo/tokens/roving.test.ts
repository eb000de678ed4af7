// Where the arrow keys lead, and where the panel goes.
import { expect, test } from "vitest";
import { placeBeside } from "../../../demo/tokens/placement.ts";
import { stepFrom } from "../../../demo/tokens/roving.ts";

/** Three lines of words: 0 1 2 / 3 4 / 5. */
const WORDS = [
  [0, 0],
  [50, 0],
  [90, 0],
  [0, 20],
  [60, 20],
  [10, 40],
].map(([offsetLeft, offsetTop]) => ({ offsetLeft: offsetLeft!, offsetTop: offsetTop! }));

test.each<[from: number, key: string, to: number | undefined]>([
  [0, "ArrowRight", 1],
  [2, "ArrowRight", 3],
  [5, "ArrowRight", undefined],
  [0, "ArrowLeft", undefined],
  [3, "ArrowLeft", 2],
  [2, "ArrowDown", 4],
  [0, "ArrowDown", 3],
  [4, "ArrowDown", 5],
  [5, "ArrowDown", undefined],
  [5, "ArrowUp", 3],
  [4, "ArrowUp", 1],
  [1, "ArrowUp", undefined],
  [3, "Home", 0],
  [3, "End", 5],
  [0, "Home", undefined],
  [0, "a", undefined],
])("from word %d, %s leads to %s", (from, key, to) => {
  expect(stepFrom(WORDS, from, key)).toBe(to);
});

const WINDOW = { width: 400, height: 300 };
const PANEL = { width: 200, height: 100 };

test.each([
  ["under the word", { left: 50, top: 20, bottom: 40 }, { left: 50, top: 46 }],
  ["over it near the window's end", { left: 50, top: 250, bottom: 270 }, { left: 50, top: 144 }],
  ["inside the window's right edge", { left: 380, top: 20, bottom: 40 }, { left: 194, top: 46 }],
  ["inside the left edge", { left: -20, top: 20, bottom: 40 }, { left: 6, top: 46 }],
])("the panel stands %s", (_, word, place) => {
  expect(placeBeside(word, PANEL, WINDOW)).toEqual(place);
});

test("a panel that fits neither over nor under stays in the window", () => {
  const tall = { width: 200, height: 280 };
  expect(placeBeside({ left: 50, top: 140, bottom: 160 }, tall, WINDOW)).toEqual({ left: 50, top: 14 });
});
