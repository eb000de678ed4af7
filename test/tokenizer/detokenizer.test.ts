// Streaming text: however tokens cut it, the characters that come out are those of the whole.
import { describe, expect, test } from "vitest";
import { createDetokenizer } from "../../src/tokenizer/detokenizer.ts";
import { createDice } from "./random-strings.ts";
import { loadTokenizer } from "./vocabularies.ts";

/** Text of bytes cut into pieces, and what each push released. */
function stream(pieces: readonly Uint8Array[]): { text: string; released: string[]; pending: number } {
  const detokenizer = createDetokenizer({ piece: (id) => pieces[id]!, hasPrefix: () => false }, false);
  const released = pieces.map((_, id) => detokenizer.push(id));
  const { pending } = detokenizer;
  return { text: released.join("") + detokenizer.flush(), released, pending };
}

const whole = (bytes: Uint8Array): string => new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

test("any cut of any bytes, valid or not, gives the text of the whole", () => {
  const dice = createDice(5);
  const interesting = [
    0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc2, 0xdf, 0xe0, 0xed, 0xef, 0xf0, 0xf4, 0xf5, 0xff,
  ];
  for (let round = 0; round < 20_000; round++) {
    const bytes = Uint8Array.from({ length: dice(12) }, () =>
      dice(3) ? interesting[dice(interesting.length)]! : dice(256),
    );
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; ) {
      const length = dice(4);
      pieces.push(bytes.slice(at, at + length));
      at += length;
    }
    expect(stream(pieces).text).toBe(whole(bytes));
  }
});

test("a character is released whole, with its last byte", () => {
  const { released } = stream([...bytesOf("a\u00e9\u6f22\u{1f600}")].map((byte) => Uint8Array.of(byte)));
  expect(released).toEqual(["a", "", "\u00e9", "", "", "\u6f22", "", "", "", "\u{1f600}"]);
});

test("a character that is cut at the end becomes one replacement character", () => {
  for (const character of ["\u00e9", "\u6f22", "\u{1f600}"])
    for (let cut = 1; cut < bytesOf(character).length; cut++) {
      const { text, pending } = stream([bytesOf("a"), bytesOf(character).slice(0, cut)]);
      expect({ text, pending }).toEqual({ text: "a\ufffd", pending: cut });
    }
});

test("nothing is held back for a beginning that no byte can complete", () => {
  for (const bytes of [[0xc0], [0xc1], [0xed, 0xa0], [0xe0, 0x80], [0xf0, 0x80], [0xf4, 0x90], [0xf5], [0xff], [0x80]])
    expect(stream([Uint8Array.from(bytes)]).pending).toBe(0);
});

test("a byte order mark is a character like any other", () => {
  expect(stream([bytesOf("\ufeff"), bytesOf("a\ufeff")]).text).toBe("\ufeffa\ufeff");
});

describe.each(["qwen3", "gpt-2", "own-spm"])("%s", async (name) => {
  const tokenizer = await loadTokenizer(name);

  test("every code point comes back", () => {
    for (let from = 0; from < 0x110000; from += 0x1000) {
      let text = "";
      for (let point = from; point < from + 0x1000; point++)
        if ((point & 0xff800) !== 0xd800 && !(point === 0x2581 && tokenizer.model === "llama"))
          text += String.fromCodePoint(point);
      expect(tokenizer.decode(tokenizer.encode(text, { addBos: false }))).toBe(text);
    }
  });

  test("the streamed text of every code point is never cut", () => {
    for (let from = 0; from < 0x20000; from += 0x800) {
      if ((from & 0xff800) === 0xd800) continue;
      const text = Array.from({ length: 0x800 }, (_, i) => String.fromCodePoint(from + i))
        .join("")
        .replace(/[\ufffd\u2581]/g, "");
      const detokenizer = tokenizer.detokenizer({ starts: true });
      let streamed = "";
      let cut = false;
      for (const id of tokenizer.encode(text, { addBos: false })) {
        const part = detokenizer.push(id);
        cut ||= part.includes("\ufffd");
        streamed += part;
      }
      expect({ streamed: streamed + detokenizer.flush(), cut }).toEqual({ streamed: text, cut: false });
    }
  });

  test("lone surrogates are read as U+FFFD", () => {
    expect(tokenizer.decode(tokenizer.encode("a\ud800b\udc00", { addBos: false }))).toBe("a\ufffdb\ufffd");
  });
});
