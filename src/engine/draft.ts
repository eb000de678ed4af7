// Drafts: guesses at the tokens that come next. The model computes the logits of all of them in one step, and what it would not
// have said itself is thrown away, so that a draft costs or saves time and changes nothing.
import { createLookup } from "./lookup.ts";
import { followPrediction } from "./prediction.ts";

/** Of one answer. */
export interface Drafter {
  /** Tokens to verify after `answer`, which has grown since the last call; at most `room`. */
  draft(answer: readonly number[], room: number): readonly number[];
  /** What became of the last draft: its first `computed` tokens were, and of those the first `right` are in the answer. */
  verified(computed: number, right: number): void;
  /** @param answer whole, without the token that ended it */
  counts(answer: readonly number[]): PredictionCounts;
}

/** Of the request's `prediction`, each of its tokens counted once; what was looked up is not counted. */
export interface PredictionCounts {
  /** Its tokens that are in the answer. */
  readonly accepted: number;
  /** Its tokens that were computed, and are not. */
  readonly rejected: number;
}

export interface DrafterOptions {
  readonly prompt: ArrayLike<number>;
  /** Goes before what could be looked up. */
  readonly prediction?: ArrayLike<number> | undefined;
  /** Guess that what follows the last tokens is what followed them before. */
  readonly lookup: boolean;
  /** Tokens that end the answer: nothing after one is computed. */
  readonly endIds: ReadonlySet<number>;
}

export function createDrafter({ prompt, prediction, lookup, endIds }: DrafterOptions): Drafter {
  const predicted = prediction && followPrediction(prediction);
  const repeated = lookup ? createLookup(prompt) : undefined;
  const sources: Source[] = [
    ...(predicted ? [{ ...predicted, length: createDraftLength(FIRST_LENGTH.prediction) }] : []),
    ...(repeated ? [{ ...repeated, length: createDraftLength(FIRST_LENGTH.lookup) }] : []),
  ];
  let last: Source | undefined;

  return {
    draft(answer, room) {
      for (last of sources) {
        const guess = last.guess(answer, Math.min(room, last.length.next()));
        const end = guess.findIndex((id) => endIds.has(id));
        const draft = end < 0 ? guess : guess.slice(0, end);
        if (draft.length > 0) return draft;
      }
      return [];
    },
    verified(computed, right) {
      if (computed === 0 || !last) return;
      last.computed?.(computed);
      last.length.saw(computed, right);
    },
    counts: (answer) => predicted?.counts(answer) ?? { accepted: 0, rejected: 0 },
  };
}

interface Source {
  guess(answer: readonly number[], room: number): readonly number[];
  computed?(count: number): void;
  readonly length: DraftLength;
}

/** How long drafts are, by what has become of those before: a step takes longer the more tokens it computes. */
interface DraftLength {
  /** Most tokens of the next draft. To be asked once a step. */
  next(): number;
  saw(computed: number, right: number): void;
}

/** A prediction is believed at once, as far as a step goes; a repetition has to show first that it is not one by chance. */
const FIRST_LENGTH = { prediction: 16, lookup: 4 };
/** No decode step takes more. */
const LONGEST = 16;
/** Steps without a draft, after drafts of ever fewer tokens were all wrong: at first, and at most. */
const FIRST_REST = 8;
const LONGEST_REST = 128;

/** Grows while all is right, follows what was right, and halves when nothing was, down to a rest that doubles. */
function createDraftLength(first: number): DraftLength {
  let length = first;
  let rest = 0;
  let nextRest = FIRST_REST;
  return {
    next() {
      if (rest === 0) return length;
      rest--;
      return 0;
    },
    saw(computed, right) {
      if (right > 0) {
        length = Math.min(right === computed ? 2 * length : Math.min(length, 2 * right), LONGEST);
        nextRest = FIRST_REST;
      } else if (length > 1) {
        length >>= 1;
      } else {
        rest = nextRest;
        nextRest = Math.min(2 * nextRest, LONGEST_REST);
      }
    },
  };
}
