// Text to token ids and back, built from a GGUF header alone. Control tokens come only from text that may hold them.

import { EngineError } from "../base/errors.ts";
import type { Metadata } from "../gguf/metadata.ts";
import { createBpe, type TextEncoding } from "./bpe.ts";
import { createDetokenizer, type Detokenizer } from "./detokenizer.ts";
import { createIdBuffer, type IdBuffer } from "./id-buffer.ts";
import { findPreTokenizer, type PreTokenizer } from "./pre-tokenizers.ts";
import { readSpecialIds, type SpecialDefaults, type SpecialIds } from "./special-ids.ts";
import { createSpecialTokens, type SpecialMatch, type SpecialToken } from "./special-tokens.ts";
import { createSpm } from "./spm.ts";
import { readVocabulary, type TokenKind, type Vocabulary } from "./vocabulary.ts";

/** A slice of a prompt; `control`: may control tokens be matched inside this text? */
export interface Segment {
  readonly text: string;
  readonly control: boolean;
}

export interface EncodeOptions {
  /** Whether a BOS token comes first. Left out: where the model asks for one and the text does not begin with it. */
  addBos?: boolean;
  /** Whether an EOS token comes last. Left out: where the model asks for one and the text does not end with it. */
  addEos?: boolean;
}

export interface Tokenizer {
  readonly vocabSize: number;
  readonly bosId?: number;
  readonly eosId?: number;
  /** Whether the model asks for a BOS token first. */
  readonly addBos: boolean;
  readonly addEos: boolean;
  /** Every token that ends an answer. */
  readonly endIds: ReadonlySet<number>;
  /** What is odd about this vocabulary, for a person to read. */
  readonly warnings: readonly string[];
  /** Name of the split rule that is used. */
  readonly preTokenizer: string;
  readonly model: "gpt2" | "llama";
  /** Texts of all control tokens. */
  readonly controlPieces: readonly string[];
  /**
   * A plain string is one segment without control. A control token is matched only where its whole text lies inside one
   * segment that may hold it; user-defined tokens are matched everywhere; what is left is joined across segments.
   * @throws EngineError `budget_exceeded` for a run of text over MAX_TEXT_LENGTH
   */
  encode(input: string | readonly Segment[], options?: EncodeOptions): Int32Array;
  /** Text of a whole sequence: the inverse of `encode`, without control tokens. */
  decode(ids: ArrayLike<number>): string;
  /** The bytes that a token adds to text; none for control tokens. A view, not to be written to. */
  piece(id: number): Uint8Array;
  /** For display: the text, control tokens too; bytes that are not whole characters as \xHH. */
  label(id: number): string;
  kind(id: number): TokenKind;
  /** The token whose text is spelled so in the file, as control tokens are. */
  idOf(text: string): number | undefined;
  /** @param options.starts true when the ids begin a sequence, so that the space put before it is dropped */
  detokenizer(options?: { starts?: boolean }): Detokenizer;
}

const MODEL_KEY = "tokenizer.ggml.model";
const PRE_KEY = "tokenizer.ggml.pre";
const NO_BYTES = new Uint8Array(0);
const LONE_SURROGATE = /\p{Surrogate}/gu;

/** @throws EngineError `unsupported_architecture` for another model than BPE and SentencePiece's BPE, `model_malformed` */
export function createTokenizer(metadata: Metadata): Tokenizer {
  const model = readModel(metadata);
  const vocabulary = readVocabulary(metadata, model === "gpt2" ? "byteLevel" : "sentencePiece");
  const rule = model === "gpt2" ? choosePreTokenizer(metadata) : undefined;
  const defaults: SpecialDefaults = rule?.preTokenizer ?? { bosId: 1, eosId: 2, unknownId: 0, addBos: true };
  const special = readSpecialIds(metadata, vocabulary, defaults);
  const addSpacePrefix = model === "llama" && (metadata.boolean("tokenizer.ggml.add_space_prefix") ?? true);
  const encoding = rule
    ? createBpe(metadata, vocabulary, rule.preTokenizer, special.unknownId)
    : createSpm(metadata, vocabulary, addSpacePrefix, special.unknownId);
  const encode = createEncoder(vocabulary, encoding, special);

  const piece = (id: number): Uint8Array =>
    id >= 0 && id < vocabulary.size && !isControl(vocabulary, id) ? vocabulary.bytes(id) : NO_BYTES;
  const hasPrefix = (id: number): boolean => addSpacePrefix && vocabulary.kind(id) !== "userDefined";
  const newDetokenizer = (starts: boolean): Detokenizer => createDetokenizer({ piece, hasPrefix }, starts);

  return {
    vocabSize: vocabulary.size,
    ...(special.bosId === undefined ? {} : { bosId: special.bosId }),
    ...(special.eosId === undefined ? {} : { eosId: special.eosId }),
    addBos: special.addBos,
    addEos: special.addEos,
    endIds: special.endIds,
    warnings: [...(rule?.warnings ?? []), ...special.warnings, ...encoding.warnings],
    preTokenizer: rule?.preTokenizer.name ?? "default",
    model,
    controlPieces: tokensOf(vocabulary, (kind) => kind === "control" || kind === "unknown").map(({ text }) => text),
    encode,
    decode(ids) {
      const detokenizer = newDetokenizer(true);
      let text = "";
      for (let i = 0; i < ids.length; i++) text += detokenizer.push(ids[i]!);
      return text + detokenizer.flush();
    },
    piece,
    label: (id) => (id >= 0 && id < vocabulary.size ? toLabel(vocabulary.bytes(id)) : `<${id}>`),
    kind: (id) => (id >= 0 && id < vocabulary.size ? vocabulary.kind(id) : "unused"),
    idOf: (text) => vocabulary.find(new TextEncoder().encode(text)),
    detokenizer: (options) => newDetokenizer(options?.starts ?? false),
  };
}

function readModel(metadata: Metadata): "gpt2" | "llama" {
  const model = metadata.requireString(MODEL_KEY);
  if (model === "gpt2" || model === "llama") return model;
  throw new EngineError(
    "unsupported_architecture",
    `This model's tokenizer is of the kind "${model}"${model === "bert" ? " (WordPiece)" : ""}; "gpt2" (byte-level BPE) and ` +
      `"llama" (SentencePiece BPE) are supported. Take a model with one of these.`,
    { details: { architecture: `tokenizer:${model}` } },
  );
}

function choosePreTokenizer(metadata: Metadata): { preTokenizer: PreTokenizer; warnings: readonly string[] } {
  const name = metadata.string(PRE_KEY);
  const found = findPreTokenizer(name ?? "default");
  if (name !== undefined && found !== undefined) return { preTokenizer: found, warnings: [] };
  const preTokenizer = found ?? findPreTokenizer("gpt-2")!;
  const what = name === undefined ? `The file has no ${PRE_KEY}` : `The split rule "${name}" is not known`;
  return {
    preTokenizer,
    warnings: [`${what}: text is split by the rule "${preTokenizer.name}", and answers may be worse for it.`],
  };
}

function isControl(vocabulary: Vocabulary, id: number): boolean {
  const kind = vocabulary.kind(id);
  return kind === "control" || kind === "unknown";
}

function tokensOf(vocabulary: Vocabulary, includes: (kind: TokenKind) => boolean): SpecialToken[] {
  const tokens: SpecialToken[] = [];
  for (let id = 0; id < vocabulary.size; id++)
    if (includes(vocabulary.kind(id)) && vocabulary.bytes(id).length > 0)
      tokens.push({ id, text: vocabulary.text(id) });
  return tokens;
}

function createEncoder(vocabulary: Vocabulary, encoding: TextEncoding, special: SpecialIds): Tokenizer["encode"] {
  const userDefined = createSpecialTokens(tokensOf(vocabulary, (kind) => kind === "userDefined"));
  const all = createSpecialTokens(tokensOf(vocabulary, (kind) => ["control", "unknown", "userDefined"].includes(kind)));

  const encodeRaw = (text: string, from: number, to: number, begins: boolean, out: IdBuffer): void => {
    let at = from;
    for (const match of userDefined.matches(text, from, to)) {
      const prefixes = begins && at === from; // the space before a text stands before a user-defined token too
      if (match.from > at || prefixes) encoding.encode(text.slice(at, match.from), prefixes, out);
      out.push(match.id);
      at = match.to;
    }
    if (to > at) encoding.encode(text.slice(at, to), begins && at === from, out);
  };

  return (input, options = {}) => {
    const segments = typeof input === "string" ? [{ text: input, control: false }] : input;
    const text = segments
      .map((segment) => segment.text)
      .join("")
      .replace(LONE_SURROGATE, "\ufffd");
    const controls = controlMatches(segments, text, (from, to) =>
      all.matches(text, from, to).filter(({ id }) => isControl(vocabulary, id)),
    );
    const out = createIdBuffer();
    const { bosId, eosId } = special;
    const startsWithBos = controls[0]?.from === 0 && controls[0].id === bosId;
    if (bosId !== undefined && (options.addBos ?? (special.addBos && !startsWithBos))) out.push(bosId);
    let at = 0;
    for (const match of controls) {
      encodeRaw(text, at, match.from, true, out);
      out.push(match.id);
      at = match.to;
    }
    encodeRaw(text, at, text.length, true, out);
    const last = controls.at(-1);
    const endsWithEos = last?.to === text.length && last.id === eosId;
    if (eosId !== undefined && (options.addEos ?? (special.addEos && !endsWithEos))) out.push(eosId);
    return out.toArray();
  };
}

/** Control tokens are looked for in each segment by itself, so that no neighbour can make, cut or swallow one. */
function controlMatches(
  segments: readonly Segment[],
  text: string,
  find: (from: number, to: number) => readonly SpecialMatch[],
): readonly SpecialMatch[] {
  const found: SpecialMatch[] = [];
  let at = 0;
  for (const segment of segments) {
    const end = at + segment.text.length;
    if (segment.control) for (const match of find(at, end)) found.push(match);
    at = end;
  }
  return text.length === 0 ? [] : found;
}

/** Printable form of a piece; OpenAI shows the bytes of a cut character as \xHH too. */
function toLabel(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { ignoreBOM: true, fatal: true }).decode(bytes);
  } catch {
    return Array.from(bytes, (byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("");
  }
}
