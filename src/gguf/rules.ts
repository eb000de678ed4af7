// What a GGUF file must fulfil, by name: the limits of the reader and the one way in which it refuses a file.

import { EngineError } from "../base/errors.ts";

/** Far above any real model (Gemma 3, the largest vocabulary known, has 16 MB of header), far below what hurts a page. */
export const LIMITS = {
  headerBytes: 64 * 1024 * 1024,
  keys: 4096,
  keyBytes: 65_535, // the GGUF specification's own limit
  stringBytes: 1024 * 1024,
  templateBytes: 256 * 1024,
  pieceBytes: 4096, // one entry of the tokenizer's tokens or merges
  arrayItems: 2 * 1024 * 1024,
  tensors: 65_536,
  nameBytes: 63, // GGML_MAX_NAME less its zero
  dimensions: 4,
  alignment: [8, 65_536],
  defaultAlignment: 32,
  parts: 1024,
} as const;

/** Each rule as a sentence; `details.rule` of an error holds its name. */
export const RULES = {
  magic: "a GGUF file starts with the four letters GGUF",
  "byte-order": "the file must be little-endian",
  version: "the version must be 2 or 3",
  truncated: "the file ends before what it announces",
  "header-size": `the header may have at most ${LIMITS.headerBytes} bytes`,
  "key-count": `there may be at most ${LIMITS.keys} metadata keys`,
  "key-length": `a metadata key has 1 to ${LIMITS.keyBytes} bytes`,
  "key-text": "a metadata key must be valid UTF-8",
  "key-unique": "a metadata key may appear once only",
  "value-type": "a metadata value must be of one of the 13 known types",
  boolean: "a boolean is stored as 0 or 1",
  "string-length": `a string may have at most ${LIMITS.stringBytes} bytes`,
  "template-length": `a chat template may have at most ${LIMITS.templateBytes} bytes`,
  "piece-length": `a token or merge may have at most ${LIMITS.pieceBytes} bytes`,
  "array-length": `an array may have at most ${LIMITS.arrayItems} items`,
  "array-nested": "an array may not hold arrays",
  alignment: `general.alignment must be a uint32, a power of two from ${LIMITS.alignment[0]} to ${LIMITS.alignment[1]}`,
  "tensor-count": `there may be at most ${LIMITS.tensors} tensors`,
  "tensor-name-length": `a tensor's name has 1 to ${LIMITS.nameBytes} bytes`,
  "tensor-name-text": "a tensor's name must be valid UTF-8",
  "tensor-name-unique": "a tensor's name may appear once only",
  "tensor-dimensions": `a tensor has 1 to ${LIMITS.dimensions} dimensions`,
  "tensor-shape": "each dimension is at least 1, and their product at most 2^53 - 1",
  "tensor-type": "a tensor's type must be one that GGML defines",
  "tensor-row": "a tensor's row must be a whole number of quantization blocks",
  "tensor-alignment": "a tensor's offset must be a multiple of the alignment",
  "tensor-range": "a tensor must lie inside the file",
  "tensor-overlap": "tensors may not overlap",
  "key-type": "a metadata value must have the type that its key asks for",
  "key-missing": "a metadata key that the model needs must be present",
  "split-keys": "a part of a split model must carry split.no, split.count and split.tensors.count",
  "split-count": `all parts must announce the same number of parts, 1 to ${LIMITS.parts}`,
  "split-number": "each part's number must be below the number of parts, and differ from the others'",
  "split-missing": "every part of a split model must be given",
  "split-tensors": "the parts must hold as many tensors as they announce",
  "split-version": "all parts must have the same GGUF version",
} as const;

export type Rule = keyof typeof RULES;

/**
 * The refusal of a file: where, which rule, and what was found there.
 * @param offset byte offset in the file `name`
 * @param found completes the sentence "…, found …": the offending value with its place
 */
export function malformed(name: string, offset: number, rule: Rule, found: string): EngineError<"model_malformed"> {
  return new EngineError(
    "model_malformed",
    `${name}, byte ${offset}: ${RULES[rule]} (rule ${rule}); found ${found}. ` +
      "The file is damaged or not a GGUF model: fetch it again, or take another.",
    { details: { offset, rule } },
  );
}
