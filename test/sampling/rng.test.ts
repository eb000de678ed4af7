// Philox4x32-10 against Random123's known answers (kat_vectors of the Random123 distribution, BSD).
import { expect, test } from "vitest";
import { type Counter, type Key, keyOfSeed, philox4x32 } from "../../src/sampling/rng.ts";

const ONES = 0xffffffff;
const KNOWN: readonly (readonly [Counter, Key, Counter])[] = [
  [
    [0, 0, 0, 0],
    [0, 0],
    [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
  ],
  [
    [ONES, ONES, ONES, ONES],
    [ONES, ONES],
    [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
  ],
  [
    [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
    [0xa4093822, 0x299f31d0],
    [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
  ],
];

test.each(KNOWN)("philox4x32(%j, %j) is Random123's", (counter, key, answer) => {
  expect(philox4x32(counter, key)).toEqual(answer);
});

test("a seed's 64 bits become two words, low first, negative ones wrapped", () => {
  expect(keyOfSeed(0x0123456789abcdefn)).toEqual([0x89abcdef, 0x01234567]);
  expect(keyOfSeed(-1n)).toEqual([ONES, ONES]);
  expect(keyOfSeed(-(2n ** 63n))).toEqual([0, 0x80000000]);
});
