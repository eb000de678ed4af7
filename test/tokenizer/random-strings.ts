// The seeded strings of the differential test: mixes of scripts, contractions, digits, odd white space, marks and look-alikes.
// data/make-random-goldens.mjs and random.test.ts must see the same ones: change this file only together with the goldens.

/** A stream of whole numbers below `limit` (mulberry32). */
export function createDice(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % limit;
  };
}

/** Ranges of letters, digits and signs that Unicode has had for many years, so that each library knows them. */
const RANGES: readonly (readonly [from: number, to: number])[] = [
  [0x20, 0x7e],
  [0x61, 0x7a],
  [0x41, 0x5a],
  [0x30, 0x39],
  [0xa1, 0x17f],
  [0x300, 0x34e],
  [0x391, 0x3a1],
  [0x3b1, 0x3c9],
  [0x410, 0x44f],
  [0x5d0, 0x5ea],
  [0x620, 0x64a],
  [0x660, 0x669],
  [0x905, 0x939],
  [0x93e, 0x94c],
  [0xe01, 0xe2e],
  [0x1780, 0x17b3],
  [0x2010, 0x2027],
  [0x2030, 0x205e],
  [0x2070, 0x2071],
  [0x2150, 0x215f],
  [0x2190, 0x21ff],
  [0x2581, 0x2581],
  [0x3041, 0x3096],
  [0x30a1, 0x30fa],
  [0x4e00, 0x9fa5],
  [0xac00, 0xd7a3],
  [0xff01, 0xff5e],
  [0x1f600, 0x1f64f],
  [0x1f1e6, 0x1f1ff],
  [0x1d400, 0x1d454],
  [0x20000, 0x2a6d6],
  [0xe000, 0xe0ff],
];
const SPACES = [
  ..." \t\n\r\v\f\u0085\u00a0\u1680\u2000\u2003\u2009\u2028\u2029\u202f\u205f\u3000\ufeff\u200b\u180e",
  ...["\r\n", "  ", "   ", "\n\n", " \n", "\t\t", " ".repeat(17)],
];
const WORDS = [
  ...[
    "Hello",
    " world",
    "it's",
    "IT'S",
    "we'Ll",
    "they've",
    "I'm",
    "'d",
    "'re",
    "o'clock",
    "''",
    "'T",
    "\u2019s",
    "'\u017f",
  ],
  ...[
    "12345",
    "3.14",
    "1,000",
    "0x1F",
    "\u00bd",
    "\u0663",
    "\u2460",
    "e\u0301",
    "n\u0303o",
    "\u00e9",
    "\u212a",
    "\u2126",
  ],
  ...[
    "<|im_end|>",
    "<|im_start|>",
    "<|endoftext|>",
    "<|im_",
    "end|>",
    "<|",
    "|>",
    "<s>",
    "</s>",
    "<think>",
    "</think>",
  ],
  ...[
    "<tool_call>",
    "</tool_",
    "[INST]",
    "\u{1f469}\u200d\u{1f469}\u200d\u{1f467}",
    "\u{1f1e9}\u{1f1ea}",
    "\u2764\ufe0f",
  ],
  ...[
    "if (x == 0) {",
    "\n    return",
    "foo_bar",
    "--flag",
    "https://a.b/c?d=e",
    "///",
    "...",
    "!?",
    "\ufffd",
    "\u0000",
  ],
];

/** String `index`: 1 to 24 parts, each a run from one range, white space or a word from the list. */
export function randomString(index: number): string {
  const dice = createDice(index * 2654435761);
  const parts = 1 + dice(dice(4) === 0 ? 24 : 8);
  let text = "";
  for (let i = 0; i < parts; i++) {
    const kind = dice(10);
    if (kind < 3) text += WORDS[dice(WORDS.length)];
    else if (kind < 5) for (let n = dice(3); n >= 0; n--) text += SPACES[dice(SPACES.length)];
    else {
      const [from, to] = RANGES[dice(RANGES.length)]!;
      for (let n = dice(8); n >= 0; n--) text += String.fromCodePoint(from + dice(to - from + 1));
    }
  }
  return text;
}

/** FNV-1a over ids. */
export function hashIds(ids: Iterable<number>): number {
  let hash = 0x811c9dc5;
  for (const id of ids) hash = Math.imul(hash ^ id, 0x01000193);
  return hash >>> 0;
}

export const RANDOM_STRINGS = 20_000;
/** How many of the first strings have their ids in full in the goldens. */
export const FULL_IDS = 500;
