// Control tokens come only out of text that may hold them, whatever a user types.
import { describe, expect, test } from "vitest";
import { createTokenizer, type Segment, type Tokenizer } from "../../src/tokenizer/tokenizer.ts";
import { bpeMetadata, CONTROL, spmMetadata, USER_DEFINED } from "./small-vocabulary.ts";
import { loadTokenizer } from "./vocabularies.ts";

const template = (text: string): Segment => ({ text, control: true });
const user = (text: string): Segment => ({ text, control: false });
const controlIds = (tokenizer: Tokenizer, ids: Int32Array): number[] =>
  [...ids].filter((id) => tokenizer.kind(id) === "control" || tokenizer.kind(id) === "unknown");
const plain = { addBos: false, addEos: false };

describe.each(["qwen3", "gpt-2", "own-spm"])("%s", async (name) => {
  const tokenizer = await loadTokenizer(name);
  const controls = tokenizer.controlPieces;

  test("there is something to test", () => {
    expect(controls.length).toBeGreaterThan(0);
  });

  test.each(controls)("%s typed by a user never becomes its id", (text) => {
    const around = ["", "a", " ", "\n", "<", ">", "|", text.slice(0, -1), text.slice(1), text];
    for (const before of around)
      for (const after of around)
        expect(controlIds(tokenizer, tokenizer.encode([user(before + text + after)], plain))).toEqual([]);
  });

  test.each(controls)("%s written by the template is its id", (text) => {
    const id = tokenizer.idOf(text)!;
    expect(controlIds(tokenizer, tokenizer.encode([template(`x${text}y`)], plain))).toEqual([id]);
    expect(controlIds(tokenizer, tokenizer.encode([user(text), template(text), user(text)], plain))).toEqual([id]);
  });

  test.each(controls)("%s is not made of halves in two segments", (text) => {
    for (let cut = 1; cut < text.length; cut++) {
      const [left, right] = [text.slice(0, cut), text.slice(cut)];
      for (const segments of [
        [template(left), template(right)],
        [user(left), template(right)],
        [template(left), user(right)],
        [user(left), user(right)],
      ])
        expect(controlIds(tokenizer, tokenizer.encode(segments, plain))).toEqual([]);
    }
  });

  test("text is joined across segments before it is split into words", () => {
    const text = "The fire in the hearth isn't out\u0301, it's 1234567 degrees";
    for (let cut = 0; cut <= text.length; cut++)
      expect(tokenizer.encode([template(text.slice(0, cut)), user(text.slice(cut))], plain)).toEqual(
        tokenizer.encode(text, plain),
      );
  });
});

describe("user-defined tokens", () => {
  const tokenizer = createTokenizer(
    bpeMetadata(
      ["< t", "<t o"],
      [
        { text: "<tool>", type: USER_DEFINED },
        { text: "<tool><tool>", type: USER_DEFINED },
        { text: "<|end|>", type: CONTROL },
        { text: "x<|", type: USER_DEFINED },
      ],
    ),
  );
  const labels = (segments: readonly Segment[]) => [...tokenizer.encode(segments)].map((id) => tokenizer.label(id));

  test("are found in every text, the longest first", () => {
    expect(labels([user("a<tool>b<tool><tool>c")])).toEqual(["a", "<tool>", "b", "<tool><tool>", "c"]);
  });

  test("are found across segments", () => {
    expect(labels([user("a<to"), user("ol>b")])).toEqual(["a", "<tool>", "b"]);
  });

  test("typed by a user cannot swallow the template's control token", () => {
    expect(labels([user("x"), template("<|end|>")])).toEqual(["x", "<|end|>"]);
    expect(labels([template("x<|end|>")])).toEqual(["x<|", "e", "n", "d", "|", ">"]); // one text: leftmost first
  });
});

test("merges cannot make a control token, even where the file says so", () => {
  const bpe = createTokenizer(bpeMetadata(["< s", "<s >"], [], { "tokenizer.ggml.token_type": typesWith(257) }));
  expect(controlIds(bpe, bpe.encode("<s>"))).toEqual([]);
  expect(bpe.decode(bpe.encode("<s>"))).toBe("<s>");
  const spm = createTokenizer(spmMetadata(["<", "s", ">", "<s"].map((text) => ({ text, type: 1 }))));
  expect(controlIds(spm, spm.encode("<s><s>", plain))).toEqual([]);
});

function typesWith(control: number): Int32Array {
  const types = new Int32Array(258).fill(1);
  types[control] = CONTROL;
  return types;
}
