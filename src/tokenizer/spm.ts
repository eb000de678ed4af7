// SentencePiece's BPE (`llama`): characters merge by the score of the token they make; what is no token falls back to bytes.
// Source: sentencepiece's bpe_model.cc; where a space is put before the text, llama.cpp's llama-vocab.cpp.

import type { Metadata } from "../gguf/metadata.ts";
import type { TextEncoding } from "./bpe.ts";
import { createByteTable, hashBytes } from "./byte-table.ts";
import type { IdBuffer } from "./id-buffer.ts";
import { createMerger, type Symbols } from "./merger.ts";
import { malformedVocabulary } from "./rules.ts";
import { createWordBytes, sequenceLength } from "./utf8.ts";
import { slice, type Vocabulary } from "./vocabulary.ts";
import { createWordCache } from "./word-cache.ts";

const SCORES_KEY = "tokenizer.ggml.scores";
const TYPES_KEY = "tokenizer.ggml.token_type";
const MARK = "\u2581"; // stands for a space
const MARK_CODE = 0x2581;
const KEPT_SYMBOLS = 1 << 16; // scratch memory above this is given back after the word

/**
 * @param addSpacePrefix whether a space is put before text that begins a sequence or follows a control token
 * @throws EngineError `model_malformed`
 */
export function createSpm(
  metadata: Metadata,
  vocabulary: Vocabulary,
  addSpacePrefix: boolean,
  unknownId: number | undefined,
): TextEncoding {
  const ranks = rankScores(metadata, vocabulary.size);
  const mergesInto = (id: number): boolean => ["normal", "unused", "userDefined"].includes(vocabulary.kind(id));
  const table = createByteTable(vocabulary.texts, mergesInto);
  const longest = longestText(vocabulary, mergesInto);
  const splits = !crossesWords(vocabulary, mergesInto);
  const byteIds = findByteIds(metadata, vocabulary);

  const word = createWordBytes();
  const cache = createWordCache();
  const merger = createMerger();
  let starts = new Int32Array(64); // of each symbol, in the word's bytes
  let ends = new Int32Array(64);
  let hashes = new Int32Array(64);
  const find = (left: number, right: number): number => {
    const from = starts[left]!;
    const to = ends[right]!;
    if (to - from > longest) return -1;
    const hash = left === right ? hashes[left]! : hashBytes(word.bytes, starts[right]!, to, hashes[left]!);
    return table.find(word.bytes, from, to, hash);
  };
  const symbols: Symbols = {
    rank(left, right) {
      const id = find(left, right);
      return id < 0 ? -1 : ranks[id]!;
    },
    merge(left, right) {
      hashes[left] = hashBytes(word.bytes, starts[right]!, ends[right]!, hashes[left]!);
      ends[left] = ends[right]!;
    },
  };
  const resize = (length: number): void => {
    starts = new Int32Array(length);
    ends = new Int32Array(length);
    hashes = new Int32Array(length);
  };

  const pushFallback = (symbol: number, out: IdBuffer): void => {
    for (let i = starts[symbol]!; i < ends[symbol]!; i++) {
      const id = byteIds[word.bytes[i]!]!;
      if (id >= 0) out.push(id);
      else if (unknownId !== undefined) {
        out.push(unknownId); // one for the whole character
        return;
      }
    }
  };

  const encodeWord = (out: IdBuffer): void => {
    const { bytes, length, hash } = word;
    if (cache.read(bytes, length, hash, out)) return;
    const from = out.length;
    if (starts.length < length) resize(length);
    let count = 0;
    for (let at = 0; at < length; count++) {
      starts[count] = at;
      at += sequenceLength(bytes[at]!);
      ends[count] = at;
      hashes[count] = hashBytes(bytes, starts[count]!, at);
    }
    merger.run(count, symbols);
    for (let i = 0; i >= 0; i = merger.next(i)) {
      const id = find(i, i);
      if (id >= 0) out.push(id);
      else pushFallback(i, out);
    }
    if (starts.length > KEPT_SYMBOLS) resize(64);
    cache.write(bytes, length, hash, out, from);
  };

  const missing = byteIds.reduce((sum, id) => sum + (id < 0 ? 1 : 0), 0);
  return {
    encode(text, begins, out) {
      const marked = (begins && addSpacePrefix ? MARK : "") + text.replaceAll(" ", MARK);
      let from = 0;
      for (let i = 1; splits && i < marked.length; i++) {
        if (marked.charCodeAt(i) !== MARK_CODE || marked.charCodeAt(i - 1) === MARK_CODE) continue;
        word.load(marked, from, i);
        encodeWord(out);
        from = i;
      }
      if (from === marked.length) return;
      word.load(marked, from, marked.length);
      encodeWord(out);
    },
    warnings:
      missing > 0 && unknownId === undefined
        ? [`${missing} of 256 bytes have no token, and there is no unknown token: text with them loses them.`]
        : [],
  };
}

/** The place of each token's score among all scores, highest first; equal scores share one. */
function rankScores(metadata: Metadata, size: number): Int32Array {
  const scores = metadata.numbers(SCORES_KEY);
  if (scores === undefined) return new Int32Array(size);
  if (scores.length !== size)
    throw malformedVocabulary(metadata, SCORES_KEY, "score-length", `${scores.length} for ${size} tokens`);
  const bad = scores.findIndex((score) => Number.isNaN(score));
  if (bad >= 0) throw malformedVocabulary(metadata, SCORES_KEY, "score-value", `NaN for token ${bad}`);
  const sorted = Float64Array.from(scores).sort().reverse();
  const places = new Map<number, number>();
  for (const score of sorted) if (!places.has(score)) places.set(score, places.size);
  return Int32Array.from(scores as Float64Array, (score) => places.get(score)!);
}

function longestText(vocabulary: Vocabulary, includes: (id: number) => boolean): number {
  let longest = 0;
  for (let id = 0; id < vocabulary.size; id++)
    if (includes(id)) longest = Math.max(longest, slice(vocabulary.texts, id).length);
  return longest;
}

/** Whether some token has a character before a mark: then words, each with the marks before it, cannot be merged apart. */
function crossesWords(vocabulary: Vocabulary, includes: (id: number) => boolean): boolean {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  for (let id = 0; id < vocabulary.size; id++) {
    if (includes(id) && /[^\u2581]\u2581/.test(decoder.decode(slice(vocabulary.texts, id)))) return true;
  }
  return false;
}

/** Ids of the byte tokens; -1 for a byte without one. */
function findByteIds(metadata: Metadata, vocabulary: Vocabulary): Int32Array {
  const ids = new Int32Array(256).fill(-1);
  for (let id = 0; id < vocabulary.size; id++) {
    if (vocabulary.kind(id) !== "byte") continue;
    const byte = vocabulary.bytes(id)[0]!;
    if (ids[byte]! >= 0)
      throw malformedVocabulary(
        metadata,
        TYPES_KEY,
        "byte-token-unique",
        `tokens ${ids[byte]} and ${id} for byte ${byte}`,
      );
    ids[byte] = id;
  }
  return ids;
}
