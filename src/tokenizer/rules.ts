// What a vocabulary must fulfil, by name, and the one way in which the tokenizer refuses a model.

import { EngineError } from "../base/errors.ts";
import type { Metadata } from "../gguf/metadata.ts";

/** Each rule as a sentence; `details.rule` of an error holds its name. */
const VOCABULARY_RULES = {
  "vocabulary-size": "a vocabulary has at least one token",
  "token-type-length": "tokenizer.ggml.token_type must have one entry for each token",
  "token-type-value": "a token type is one of 0 to 6",
  "score-length": "tokenizer.ggml.scores must have one entry for each token",
  "score-value": "a score must be a number, and not NaN",
  "byte-token": "a byte token is written <0xHH> with two upper-case hexadecimal digits",
  "byte-token-unique": "a byte may have one token only",
  "merge-form": "a merge is two pieces with one space between them",
  "merge-token": "both sides of a merge and what it makes must be tokens",
  "token-id": "a token id must lie inside the vocabulary",
  "bos-missing": "a model that asks for a BOS token must name it",
  "eos-missing": "a model that asks for an EOS token must name it",
} as const;

/** The refusal of a vocabulary: `found` completes the sentence "…, found …" and names the entry at fault. */
export function malformedVocabulary(
  metadata: Metadata,
  key: string,
  rule: keyof typeof VOCABULARY_RULES,
  found: string,
): EngineError<"model_malformed"> {
  return new EngineError(
    "model_malformed",
    `${key}: ${VOCABULARY_RULES[rule]} (rule ${rule}); found ${found}. ` +
      "The file is damaged or was converted wrongly: fetch it again, or take another.",
    { details: { offset: metadata.offsetOf(key), rule } },
  );
}
