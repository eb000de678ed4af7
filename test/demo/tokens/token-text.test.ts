// Tokens are bytes: what each is shown as, wherever it cuts a character.
import { expect, test } from "vitest";
import { type TokenPart, tokenText } from "../../../demo/tokens/token-text.ts";

const bytesOf = (text: string) => [...new TextEncoder().encode(text)];
const short = (parts: readonly TokenPart[]) => parts.map(({ kind, text }) => `${kind}:${text}`);

test.each<[text: string, parts: string[], spoken: string]>([
  ["Paris", ["text:Paris"], "Paris"],
  [" Paris", ["space: ", "text:Paris"], "Paris"],
  ["  x", ["space: ", "space: ", "text:x"], "space space x"],
  [" ", ["space: "], "space"],
  [".\n\n", ["text:.", "line break:\n", "line break:\n"], ". line break line break"],
  ["\t{", ["tab:\t", "text:{"], "tab {"],
  ["\r\n", ["code:U+000D", "line break:\n"], "U+000D line break"],
  ["a\u202eb", ["text:a", "code:U+202E", "text:b"], "a U+202E b"],
  ["\ufeffx", ["code:U+FEFF", "text:x"], "U+FEFF x"],
  ["👨‍👩‍👧", ["text:👨‍👩‍👧"], "👨‍👩‍👧"],
])("%j", (text, parts, spoken) => {
  const shown = tokenText({ token: text, bytes: bytesOf(text) });
  expect(short(shown.parts)).toEqual(parts);
  expect(shown).toMatchObject({ spoken, begun: [] });
});

test("an emoji over three tokens: bytes until the token that completes it", () => {
  let begun: readonly number[] = [];
  const seen = [
    [32, 0xf0],
    [0x9f, 0x98],
    [0x80, 33],
  ].map((bytes) => {
    const shown = tokenText({ token: "", bytes }, begun);
    begun = shown.begun;
    return short(shown.parts);
  });
  expect(seen).toEqual([["space: ", "bytes:F0"], ["bytes:9F 98"], ["text:😀!"]]);
});

test("a beginning that is never completed becomes a replacement character, as in the answer's text", () => {
  const { begun } = tokenText({ token: "\\xf0\\x9f", bytes: [0xf0, 0x9f] });
  expect(short(tokenText({ token: "a", bytes: [97] }, begun).parts)).toEqual(["text:\ufffda"]);
});

test("a token without text shows its name, one without bytes says so", () => {
  expect(short(tokenText({ token: "<|im_end|>", bytes: null }).parts)).toEqual(["label:<|im_end|>"]);
  expect(short(tokenText({ token: "", bytes: [] }).parts)).toEqual(["label:nothing"]);
});

test("a label between two halves of a character leaves it begun", () => {
  expect(tokenText({ token: "<s>", bytes: null }, [0xc3]).begun).toEqual([0xc3]);
});
