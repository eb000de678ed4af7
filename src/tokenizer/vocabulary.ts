// The token list of a model: texts as the file spells them, the bytes each token stands for, and its kind.

import type { Metadata, StringArray } from "../gguf/metadata.ts";
import { unspell } from "./byte-alphabet.ts";
import { type Arena, type ByteTable, createByteTable, hashBytes } from "./byte-table.ts";
import { malformedVocabulary } from "./rules.ts";

export type TokenKind = "normal" | "unknown" | "control" | "userDefined" | "unused" | "byte";

/** How a vocabulary spells bytes: in GPT-2's alphabet, or as text with U+2581 for a space and <0xHH> for a byte. */
export type Spelling = "byteLevel" | "sentencePiece";

export interface Vocabulary {
  readonly size: number;
  /** Texts as in the file. */
  readonly texts: Arena;
  /** The bytes that each token adds to a text, were it printed; of control tokens, their text. */
  readonly pieces: Arena;
  kind(id: number): TokenKind;
  setKind(id: number, kind: TokenKind): void;
  /** The first token of this text, as the file spells it. */
  find(text: Uint8Array): number | undefined;
  /** Text of a token as a program would write it: U+2581 is a space. */
  text(id: number): string;
  bytes(id: number): Uint8Array;
}

const TOKENS_KEY = "tokenizer.ggml.tokens";
const TYPES_KEY = "tokenizer.ggml.token_type";

/** Kinds by their number in the file (llama.cpp's llama_token_type). */
const KINDS = ["unused", "normal", "unknown", "control", "userDefined", "unused", "byte"] as const;
const KIND_NUMBERS: Readonly<Record<TokenKind, number>> = {
  normal: 1,
  unknown: 2,
  control: 3,
  userDefined: 4,
  unused: 5,
  byte: 6,
};
const BYTE_TOKEN = /^<0x([0-9A-F]{2})>$/;
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** @throws EngineError `model_malformed` */
export function readVocabulary(metadata: Metadata, spelling: Spelling): Vocabulary {
  const tokens = metadata.requireStrings(TOKENS_KEY);
  if (tokens.length === 0) throw malformedVocabulary(metadata, TOKENS_KEY, "vocabulary-size", "none");
  const texts = toArena(tokens);
  const kinds = readKinds(metadata, tokens, spelling);
  const pieces = toPieces(metadata, texts, kinds, spelling);
  let table: ByteTable | undefined;
  return {
    size: tokens.length,
    texts,
    pieces,
    kind: (id) => KINDS[kinds[id]!]!,
    setKind(id, kind) {
      kinds[id] = KIND_NUMBERS[kind];
    },
    find(text) {
      table ??= createByteTable(texts, () => true);
      const id = table.find(text, 0, text.length, hashBytes(text, 0, text.length));
      return id < 0 ? undefined : id;
    },
    text: (id) => decoder.decode(slice(pieces, id)),
    bytes: (id) => slice(pieces, id),
  };
}

export function slice({ bytes, starts }: Arena, index: number): Uint8Array {
  return bytes.subarray(starts[index]!, starts[index + 1]!);
}

/** The value of a byte token from its text; undefined when it is not written as one. */
function byteOfText(text: string): number | undefined {
  const digits = BYTE_TOKEN.exec(text)?.[1];
  return digits === undefined ? undefined : Number.parseInt(digits, 16);
}

function toArena(strings: StringArray): Arena {
  const bytes = new Uint8Array(strings.byteLength);
  const starts = new Uint32Array(strings.length + 1);
  for (let i = 0, at = 0; i < strings.length; i++) {
    const text = strings.bytes(i);
    bytes.set(text, at);
    at += text.length;
    starts[i + 1] = at;
  }
  return { bytes, starts };
}

function readKinds(metadata: Metadata, tokens: StringArray, spelling: Spelling): Uint8Array {
  const types = metadata.numbers(TYPES_KEY);
  if (types === undefined) return guessKinds(tokens, spelling);
  if (types.length !== tokens.length)
    throw malformedVocabulary(metadata, TYPES_KEY, "token-type-length", `${types.length} for ${tokens.length} tokens`);
  const bad = types.findIndex((type) => !(type >= 0 && type < KINDS.length && Number.isInteger(type)));
  if (bad >= 0) throw malformedVocabulary(metadata, TYPES_KEY, "token-type-value", `${types[bad]} for token ${bad}`);
  return Uint8Array.from(types);
}

/** Files of 2023 may lack token types; SentencePiece's own names then tell what is not text. */
function guessKinds(tokens: StringArray, spelling: Spelling): Uint8Array {
  const kinds = new Uint8Array(tokens.length).fill(KIND_NUMBERS.normal);
  if (spelling === "byteLevel") return kinds;
  for (let id = 0; id < tokens.length; id++) {
    const text = tokens.at(id);
    if (text === "<unk>") kinds[id] = KIND_NUMBERS.unknown;
    else if (text === "<s>" || text === "</s>") kinds[id] = KIND_NUMBERS.control;
    else if (byteOfText(text) !== undefined) kinds[id] = KIND_NUMBERS.byte;
  }
  return kinds;
}

function toPieces(metadata: Metadata, texts: Arena, kinds: Uint8Array, spelling: Spelling): Arena {
  const bytes = new Uint8Array(texts.bytes.length);
  const starts = new Uint32Array(texts.starts.length);
  for (let id = 0, at = 0; id < kinds.length; id++) {
    const text = slice(texts, id);
    const kind = KINDS[kinds[id]!]!;
    if (kind === "byte") {
      const byte = byteOfText(decoder.decode(text));
      if (byte === undefined)
        throw malformedVocabulary(metadata, TOKENS_KEY, "byte-token", `token ${id}, "${decoder.decode(text)}"`);
      bytes[at++] = byte;
    } else if (kind === "control" || kind === "unknown") at = copy(text, bytes, at);
    else if (spelling === "sentencePiece") at = copyWithSpaces(text, bytes, at);
    else {
      const written = kind === "userDefined" ? -1 : unspell(text, bytes, at);
      at = written < 0 ? copy(text, bytes, at) : at + written;
    }
    starts[id + 1] = at;
  }
  return { bytes, starts };
}

function copy(text: Uint8Array, out: Uint8Array, at: number): number {
  out.set(text, at);
  return at + text.length;
}

/** Copies text with each U+2581 (E2 96 81) as a space. */
function copyWithSpaces(text: Uint8Array, out: Uint8Array, start: number): number {
  let at = start;
  for (let i = 0; i < text.length; i++) {
    const isMark = text[i] === 0xe2 && text[i + 1] === 0x96 && text[i + 2] === 0x81;
    out[at++] = isMark ? 0x20 : text[i]!;
    if (isMark) i += 2;
  }
  return at;
}
