// SentencePiece's BPE (`llama`): characters merge by the score of the token they make; what is no token falls back to bytes.
// Source: sentencepiece's bpe_model.cc; where a space is put before the text, llama.cpp's llama-vocab.cpp.

import type { Metadata } from "../gguf/metadata.ts";
import type { TextEncoding } from "./bpe.ts";
import { createByteTable, hashBytes } from "./byte-table.ts";
import type { IdBuffer } from "./id-buffer.ts";
import { mergeWord } from "./long-word.ts";
import { createMerger, type Symbols } from "./merger.ts";
import { malformedVocabulary } from "./rules.ts";
import { createWordBytes, sequenceLength } from "./utf8.ts";
import { slice, type Vocabulary } from "./vocabulary.ts";
import { createWordCache } from "./word-cache.ts";

const SCORES_KEY = "tokenizer.ggml.scores";
const TYPES_KEY = "tokenizer.ggml.token_type";
const KEPT_BYTES = 1 << 16; // scratch memory above this is given back after the word

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

  const word = createWordBytes(true);
  const cache = createWordCache();
  const merger = createMerger();
  let chars = new Int32Array(64); // where each character of the word starts in its bytes, and the last one ends
  let bounds = new Int32Array(128); // start and end of each symbol being merged; its value is the hash of those bytes
  const joinedHash = (left: number, right: number): number =>
    hashBytes(word.bytes, bounds[2 * right]!, bounds[2 * right + 1]!, merger.value(left));
  const symbols: Symbols = {
    rank(left, right) {
      const from = bounds[2 * left]!;
      const to = bounds[2 * right + 1]!;
      if (to - from > longest) return -1;
      const id = table.find(word.bytes, from, to, joinedHash(left, right));
      return id < 0 ? -1 : ranks[id]!;
    },
    merge(left, right) {
      const hash = joinedHash(left, right);
      bounds[2 * left + 1] = bounds[2 * right + 1]!;
      return hash;
    },
  };

  const load = (from: number, to: number): void => {
    if (bounds.length < 2 * (to - from)) bounds = new Int32Array(2 * (to - from));
    for (let i = from; i < to; i++) {
      bounds[2 * (i - from)] = chars[i]!;
      bounds[2 * (i - from) + 1] = chars[i + 1]!;
      merger.setValue(i - from, hashBytes(word.bytes, chars[i]!, chars[i + 1]!));
    }
  };

  const pushFallback = (from: number, to: number, out: IdBuffer): void => {
    for (let i = from; i < to; i++) {
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
    if (chars.length <= length) chars = new Int32Array(length + 1);
    let count = 0;
    for (let at = 0; at < length; at += sequenceLength(bytes[at]!)) chars[count++] = at;
    chars[count] = length;
    mergeWord({ count, load, symbols }, merger, (value, start, end) => {
      const id = table.find(bytes, chars[start]!, chars[end]!, value);
      if (id >= 0) out.push(id);
      else pushFallback(chars[start]!, chars[end]!, out);
    });
    if (length > KEPT_BYTES) {
      chars = new Int32Array(64);
      bounds = new Int32Array(128);
    }
    cache.write(bytes, length, hash, out, from);
  };

  const missing = byteIds.reduce((sum, id) => sum + (id < 0 ? 1 : 0), 0);
  return {
    encode(text, begins, out) {
      const prefixed = begins && addSpacePrefix ? ` ${text}` : text;
      let from = 0;
      for (let i = 1; splits && i < prefixed.length; i++) {
        if (!isSpace(prefixed.charCodeAt(i)) || isSpace(prefixed.charCodeAt(i - 1))) continue;
        word.load(prefixed, from, i);
        encodeWord(out);
        from = i;
      }
      if (from === prefixed.length) return;
      word.load(prefixed, from, prefixed.length);
      encodeWord(out);
    },
    warnings:
      missing > 0 && unknownId === undefined
        ? [`${missing} of 256 bytes have no token, and there is no unknown token: text with them loses them.`]
        : [],
  };
}

/** A space, or U+2581, which stands for one. */
function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x2581;
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
