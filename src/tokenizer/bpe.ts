// Byte-level BPE (`gpt2`): text is split into words by the model's rule, and the bytes of each word are merged by rank.

import type { Metadata } from "../gguf/metadata.ts";
import { BYTE_TO_CODE } from "./byte-alphabet.ts";
import { createByteTable, hashBytes } from "./byte-table.ts";
import type { IdBuffer } from "./id-buffer.ts";
import { mergeWord } from "./long-word.ts";
import { createMerger, type Symbols } from "./merger.ts";
import { createPairTable } from "./pair-table.ts";
import { type PreTokenizer, splitWords } from "./pre-tokenizers.ts";
import { malformedVocabulary } from "./rules.ts";
import { createWordBytes } from "./utf8.ts";
import type { Vocabulary } from "./vocabulary.ts";
import { createWordCache } from "./word-cache.ts";

/** Text in which no control or user-defined token is left, to ids. */
export interface TextEncoding {
  /** @param starts true where the text begins the sequence or follows a control token */
  encode(text: string, starts: boolean, out: IdBuffer): void;
  readonly warnings: readonly string[];
}

const MERGES_KEY = "tokenizer.ggml.merges";
const SPACE = 0x20;
const NEVER = -2; // stands for no symbol, not even for a byte without a token (-1)

/** @throws EngineError `model_malformed` */
export function createBpe(
  metadata: Metadata,
  vocabulary: Vocabulary,
  preTokenizer: PreTokenizer,
  unknownId: number | undefined,
): TextEncoding {
  const { lefts, rights, results } = readMerges(metadata, vocabulary);
  const pairs = createPairTable(lefts, rights);
  const isText = (id: number): boolean => vocabulary.kind(id) === "normal";
  const wholeWords = preTokenizer.wholeWords ? createByteTable(vocabulary.pieces, isText) : undefined;
  const byteIds = findByteIds(vocabulary, unknownId ?? -1);
  const missing = byteIds.reduce((count, id) => count + (id < 0 ? 1 : 0), 0);

  const word = createWordBytes(false);
  const cache = createWordCache();
  const merger = createMerger();
  const symbols: Symbols = {
    rank: (left, right) => pairs.rank(merger.value(left), merger.value(right)),
    merge: (_left, _right, rank) => results[rank]!,
  };

  const mergeBytes = (bytes: Uint8Array, length: number, out: IdBuffer): void => {
    const load = (from: number, to: number): void => {
      for (let i = from; i < to; i++) merger.setValue(i - from, byteIds[bytes[i]!]!);
    };
    const put = (id: number): void => {
      if (id >= 0) out.push(id);
    };
    mergeWord({ count: length, load, symbols }, merger, put);
  };

  const encodeWord = (out: IdBuffer): void => {
    const { bytes, length, hash } = word;
    if (cache.read(bytes, length, hash, out)) return;
    const from = out.length;
    const whole = wholeWords?.find(bytes, 0, length, hash) ?? -1;
    if (whole >= 0) out.push(whole);
    else {
      mergeBytes(bytes, length, out);
    }
    cache.write(bytes, length, hash, out, from);
  };

  return {
    encode(text, _starts, out) {
      const ends = splitWords(text, preTokenizer);
      for (let i = 0, from = 0; i < ends.length; i++) {
        word.load(text, from, ends[i]!);
        encodeWord(out);
        from = ends[i]!;
      }
    },
    warnings: missing === 0 ? [] : [`${missing} of 256 bytes have no token: text with them loses them.`],
  };
}

/** Ids of the tokens that spell one byte each; `otherwise` for a byte without one. */
function findByteIds(vocabulary: Vocabulary, otherwise: number): Int32Array {
  return Int32Array.from(BYTE_TO_CODE, (code) => {
    const spelled = code < 0x80 ? [code] : [0xc0 | (code >> 6), 0x80 | (code & 0x3f)];
    const id = vocabulary.find(Uint8Array.from(spelled));
    return id !== undefined && vocabulary.kind(id) !== "control" ? id : otherwise;
  });
}

/** Merge `i` makes token results[i] of lefts[i] and rights[i]; its rank is `i`. */
function readMerges(
  metadata: Metadata,
  vocabulary: Vocabulary,
): { lefts: Int32Array; rights: Int32Array; results: Int32Array } {
  const merges = metadata.requireStrings(MERGES_KEY);
  const table = createByteTable(vocabulary.texts, () => true);
  const lefts = new Int32Array(merges.length);
  const rights = new Int32Array(merges.length);
  const results = new Int32Array(merges.length);
  let joined = new Uint8Array(256);
  for (let i = 0; i < merges.length; i++) {
    const merge = merges.bytes(i);
    const space = merge.indexOf(SPACE, 1); // the left side may itself be a space
    if (space < 0 || space + 1 === merge.length)
      throw malformedVocabulary(metadata, MERGES_KEY, "merge-form", `merge ${i}, "${merges.at(i)}"`);
    if (joined.length < merge.length) joined = new Uint8Array(merge.length);
    joined.set(merge.subarray(0, space));
    joined.set(merge.subarray(space + 1), space);
    const length = merge.length - 1;
    const leftHash = hashBytes(merge, 0, space);
    const left = table.find(merge, 0, space, leftHash);
    const right = table.find(merge, space + 1, merge.length, hashBytes(merge, space + 1, merge.length));
    const result = table.find(joined, 0, length, hashBytes(joined, space, length, leftHash));
    if (left < 0 || right < 0 || result < 0)
      throw malformedVocabulary(metadata, MERGES_KEY, "merge-token", `merge ${i}, "${merges.at(i)}"`);
    const merging = vocabulary.kind(result) !== "control"; // or typed text could become a control token
    lefts[i] = merging ? left : NEVER;
    rights[i] = merging ? right : NEVER;
    results[i] = result;
  }
  return { lefts, rights, results };
}
