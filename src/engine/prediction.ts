// A guesser that follows the request's prediction: while the answer says what is predicted it reads ahead, and after a difference
// it finds the place where the answer has come back to the prediction. It also keeps the account of which tokens came true.
import type { PredictionCounts } from "./draft.ts";

export interface PredictionFollower {
  /** What the prediction says after `answer`, which has grown since the last call; empty while they differ. */
  guess(answer: readonly number[], room: number): readonly number[];
  /** The first so many tokens of the last guess were computed. */
  computed(count: number): void;
  /** @param answer whole */
  counts(answer: readonly number[]): PredictionCounts;
}

/** Tokens up to which a longer match at one place is better than at another. */
const LONGEST_MATCH = 8;
/** What is not far ahead of the difference is where an edited text most likely goes on: there two tokens are enough. */
const NEAR = { tokens: 64, match: 2 };
/** Anywhere else: text that was moved, or a second copy. Fewer tokens than these are alike by chance too often. */
const FAR = { match: 4 };
/** Where so many tokens have been replaced by as many, one token is enough. */
const LONGEST_REPLACEMENT = 4;

/** Nothing here depends on where the texts were cut into tokens: a place where that differs is a difference like any other. */
export function followPrediction(prediction: ArrayLike<number>): PredictionFollower {
  const places = placesOf(prediction);
  const accepted = new Uint8Array(prediction.length);
  const computed = new Uint8Array(prediction.length);
  let read = 0;
  /** Where the prediction goes on; undefined while the answer is not in it. */
  let cursor: number | undefined = 0;
  /** Where they were last known to agree: the prediction's token there, and the answer's, are the first that differ. */
  let parting = { place: 0, answer: 0 };
  let guessedFrom = 0;
  /** Tokens of the answer that were compared: each counts for one of the prediction's at most. */
  let counted = 0;

  function readOn(answer: readonly number[]): void {
    while (read < answer.length) {
      const token = answer[read++];
      if (cursor !== undefined && prediction[cursor] === token) {
        cursor++;
        parting = { place: cursor, answer: read };
        count(cursor, 1);
        continue;
      }
      const end = placeAfter(answer, read);
      cursor = end?.place;
      if (end) count(end.place, end.match);
    }
  }

  /** The last `match` tokens that were read are those before `place`. */
  function count(place: number, match: number): void {
    accepted.fill(1, place - Math.min(match, read - counted), place);
    counted = read;
  }

  /** Where the prediction goes on after the first `length` tokens of the answer, and how many tokens before agree. */
  function placeAfter(answer: readonly number[], length: number): { place: number; match: number } | undefined {
    const replaced = parting.place + length - parting.answer;
    let best: { place: number; match: number; distance: number } | undefined;
    for (const end of places.get(answer[length - 1]!) ?? []) {
      const place = end + 1;
      const match = matchBefore(answer, length, place);
      const distance = place - parting.place;
      const near = distance > 0 && distance <= NEAR.tokens;
      const likely = place === replaced && distance <= LONGEST_REPLACEMENT + 1;
      if (match < (likely ? 1 : near ? NEAR.match : FAR.match)) continue;
      // What lies ahead is nearer than anything behind.
      const order = distance > 0 ? distance : prediction.length - distance;
      if (!best || match > best.match || (match === best.match && order < best.distance))
        best = { place, match, distance: order };
    }
    return best;
  }

  /** How many of the answer's first `length` tokens, from the last one back, are those before `place`. */
  function matchBefore(answer: readonly number[], length: number, place: number): number {
    const most = Math.min(length, place, LONGEST_MATCH);
    let match = 0;
    while (match < most && answer[length - 1 - match] === prediction[place - 1 - match]) match++;
    return match;
  }

  return {
    guess(answer, room) {
      readOn(answer);
      if (cursor === undefined) return [];
      guessedFrom = cursor;
      return Array.prototype.slice.call(prediction, cursor, cursor + Math.max(room, 0)) as number[];
    },
    computed(count) {
      computed.fill(1, guessedFrom, guessedFrom + count);
    },
    counts(answer) {
      readOn(answer);
      let rejected = 0;
      for (let place = 0; place < prediction.length; place++) if (computed[place] && !accepted[place]) rejected++;
      return { accepted: accepted.reduce((sum, flag) => sum + flag, 0), rejected };
    },
  };
}

/** Where each token stands, in order. */
function placesOf(ids: ArrayLike<number>): ReadonlyMap<number, readonly number[]> {
  const places = new Map<number, number[]>();
  for (let place = 0; place < ids.length; place++) {
    const known = places.get(ids[place]!);
    if (known) known.push(place);
    else places.set(ids[place]!, [place]);
  }
  return places;
}
