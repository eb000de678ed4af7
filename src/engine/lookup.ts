// A guesser that needs no prediction: what followed the last tokens when they stood in the prompt or the answer before will follow
// them again. Source: Saxena, "Prompt Lookup Decoding" (2023); the search is a hash chain over pairs, as in LZ77 coders.

export interface Lookup {
  /** What followed the last tokens of `answer`, which has grown since the last call; empty where they are new. */
  guess(answer: readonly number[], room: number): readonly number[];
}

/** Fewer tokens than these are alike by chance too often. */
const SHORTEST_MATCH = 3;
/** A match this long is not improved by looking further. */
const LONGEST_MATCH = 8;
/** Earlier places that are looked at, the latest first, so that a common pair costs no more than a rare one. */
const PLACES = 32;
/** Above every token id; a pair of ids is still an exact number. */
const PAIR = 2 ** 24;

export function createLookup(prompt: ArrayLike<number>): Lookup {
  const ids: number[] = [];
  /** Where each pair ended last. */
  const latest = new Map<number, number>();
  /** Where the pair that ends here ended before; -1 is nowhere. */
  const earlier: number[] = [];

  function add(id: number): void {
    const place = ids.push(id) - 1;
    const pair = place === 0 ? -1 : ids[place - 1]! * PAIR + id;
    earlier.push(latest.get(pair) ?? -1);
    latest.set(pair, place);
  }

  /** How many tokens up to `place` are the last ones. */
  function matchAt(place: number): number {
    const last = ids.length - 1;
    let match = 0;
    while (match < LONGEST_MATCH && match <= place && ids[place - match] === ids[last - match]) match++;
    return match;
  }

  for (let place = 0; place < prompt.length; place++) add(prompt[place]!);

  return {
    guess(answer, room) {
      for (let place = ids.length - prompt.length; place < answer.length; place++) add(answer[place]!);
      let best = { place: -1, match: SHORTEST_MATCH - 1 };
      let place = earlier.at(-1) ?? -1;
      for (let tried = 0; place >= 0 && tried < PLACES && best.match < LONGEST_MATCH; tried++) {
        const match = matchAt(place);
        if (match > best.match) best = { place, match };
        place = earlier[place]!;
      }
      if (best.place < 0) return [];
      const guess: number[] = [];
      // A text that repeats itself runs on into its own guess.
      for (let next = best.place + 1; guess.length < room; next++) guess.push(ids[next] ?? guess[next - ids.length]!);
      return guess;
    },
  };
}
