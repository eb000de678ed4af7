// What a token is shown as. Tokens are bytes: they begin and end inside characters, and many are nothing but white space.
import type { TopLogprob } from "../../src/index.ts";
import { incompleteTail } from "../../src/tokenizer/utf8.ts";
import { UNSEEN } from "../unseen.ts";

/** `text` is what it stands for; for bytes, codes and labels it is what is shown instead. */
export interface TokenPart {
  readonly kind: "text" | "space" | "tab" | "line break" | "bytes" | "code" | "label";
  readonly text: string;
}

export interface TokenText {
  readonly parts: readonly TokenPart[];
  /** In words, for whoever hears it. */
  readonly spoken: string;
  /** Bytes at its end that begin a character which the next token goes on with. */
  readonly begun: readonly number[];
}

/** @param begun what the token before left begun */
export function tokenText(token: Pick<TopLogprob, "token" | "bytes">, begun: readonly number[] = []): TokenText {
  const parts: TokenPart[] = [];
  let tail: readonly number[] = begun;
  if (token.bytes === null) parts.push({ kind: "label", text: token.token });
  else {
    const bytes = Uint8Array.from([...begun, ...token.bytes]);
    const end = bytes.length - incompleteTail(bytes);
    tail = [...bytes.subarray(end)];
    parts.push(...partsOf(DECODER.decode(bytes.subarray(0, end))));
    const own = tail.slice(Math.max(0, tail.length - token.bytes.length));
    if (own.length > 0) parts.push({ kind: "bytes", text: own.map((byte) => hex(byte, 2)).join(" ") });
    if (parts.length === 0) parts.push({ kind: "label", text: "nothing" });
  }
  return { parts, spoken: speak(parts), begun: tail };
}

const DECODER = new TextDecoder("utf-8", { ignoreBOM: true });

const PIECES = new RegExp(`${UNSEEN.source}| |(?:(?!${UNSEEN.source})[^ ])+`, "gu");

function partsOf(text: string): TokenPart[] {
  return (text.match(PIECES) ?? []).map((piece): TokenPart => {
    if (piece === " ") return { kind: "space", text: piece };
    if (piece === "\t") return { kind: "tab", text: piece };
    if (piece === "\n") return { kind: "line break", text: piece };
    return UNSEEN.test(piece)
      ? { kind: "code", text: `U+${hex(piece.codePointAt(0)!, 4)}` }
      : { kind: "text", text: piece };
  });
}

/** One space before a word goes without saying. */
function speak(parts: readonly TokenPart[]): string {
  const said = parts[0]?.kind === "space" && parts[1]?.kind === "text" ? parts.slice(1) : parts;
  return said
    .map(({ kind, text }) => {
      if (kind === "text" || kind === "code" || kind === "label") return text;
      return kind === "bytes" ? `bytes ${text}` : kind;
    })
    .join(" ");
}

function hex(value: number, digits: number): string {
  return value.toString(16).toUpperCase().padStart(digits, "0");
}
