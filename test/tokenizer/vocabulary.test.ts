// What a vocabulary may hold, how a wrong one is refused, and which tokens begin and end a sequence.
import { describe, expect, test } from "vitest";
import type { EngineError } from "../../src/base/errors.ts";
import { type Metadata, type MetadataValue, StringArray } from "../../src/gguf/metadata.ts";
import { MAX_TEXT_LENGTH } from "../../src/tokenizer/pre-tokenizers.ts";
import { createTokenizer } from "../../src/tokenizer/tokenizer.ts";
import { BYTE, bpeMetadata, CONTROL, NORMAL, spmMetadata, UNUSED, USER_DEFINED } from "./small-vocabulary.ts";
import { loadTokenizer } from "./vocabularies.ts";

function refusal(metadata: Metadata): EngineError {
  try {
    createTokenizer(metadata);
  } catch (error) {
    return error as EngineError;
  }
  throw new Error("It was not refused");
}

const key = (name: string, value: MetadataValue | undefined) => ({ [`tokenizer.ggml.${name}`]: value });
const tokens = (...texts: string[]) => key("tokens", StringArray.from(texts));

describe("a malformed vocabulary is refused by rule", () => {
  const cases: Record<string, [rule: string, metadata: Metadata]> = {
    "no tokens at all": ["vocabulary-size", bpeMetadata([], [], { ...tokens(), ...key("token_type", undefined) })],
    "fewer token types than tokens": [
      "token-type-length",
      bpeMetadata([], [], key("token_type", new Int32Array(255).fill(1))),
    ],
    "a token type of 7": ["token-type-value", bpeMetadata([], [{ text: "x", type: 7 }])],
    "a negative token type": ["token-type-value", bpeMetadata([], [{ text: "x", type: -1 }])],
    "more scores than tokens": ["score-length", spmMetadata([], key("scores", new Float32Array(260)))],
    "a score that is no number": ["score-value", spmMetadata([{ text: "x", type: NORMAL, score: Number.NaN }])],
    "a byte token <0x-1>": ["byte-token", spmMetadata([{ text: "<0x-1>", type: BYTE }])],
    "a byte token in lower case": ["byte-token", spmMetadata([{ text: "<0x0a>", type: BYTE }])],
    "two tokens for a byte": ["byte-token-unique", spmMetadata([{ text: "<0x41>", type: BYTE }])],
    "a merge of one part": ["merge-form", bpeMetadata(["ab"])],
    "a merge without a right side": ["merge-form", bpeMetadata(["a "])],
    "an empty merge": ["merge-form", bpeMetadata([""])],
    "a merge of a part that is no token": [
      "merge-token",
      bpeMetadata([], [], key("merges", StringArray.from(["a bc"]))),
    ],
    "a merge into what is no token": ["merge-token", bpeMetadata([], [], key("merges", StringArray.from(["a b"])))],
    "a BOS id behind the vocabulary": ["token-id", bpeMetadata([], [], key("bos_token_id", 256))],
    "a negative EOS id": ["token-id", bpeMetadata([], [], key("eos_token_id", -1))],
    "a fractional end-of-turn id": ["token-id", bpeMetadata([], [], key("eot_token_id", 1.5))],
    "a BOS token asked for and not named": ["bos-missing", bpeMetadata([], [], key("add_bos_token", true))],
    "an EOS token asked for and not named": ["eos-missing", bpeMetadata([], [], key("add_eos_token", true))],
    "tokens that are numbers": ["key-type", bpeMetadata([], [], key("tokens", new Int32Array(3)))],
    "token types that are text": ["key-type", bpeMetadata([], [], key("token_type", StringArray.from(["1"])))],
    "scores that are text": ["key-type", spmMetadata([], key("scores", "0"))],
    "a BOS id that is text": ["key-type", bpeMetadata([], [], key("bos_token_id", "1"))],
    "no merges": ["key-missing", bpeMetadata([], [], key("merges", undefined))],
    "no model": ["key-missing", bpeMetadata([], [], key("model", undefined))],
  };
  test.each(Object.entries(cases))("%s", (_, [rule, metadata]) => {
    expect(refusal(metadata)).toMatchObject({ code: "model_malformed", details: { rule } });
  });
});

test.each(["bert", "t5", "rwkv", "gemma4"])("the model %s is refused by name", (model) => {
  const error = refusal(bpeMetadata([], [], key("model", model)));
  expect(error).toMatchObject({ code: "unsupported_architecture", details: { architecture: `tokenizer:${model}` } });
  expect(error.message).toContain(model === "bert" ? "WordPiece" : model);
});

test("an unknown split rule is said and the gpt-2 rule used, a missing one is the default rule", () => {
  const unknown = createTokenizer(bpeMetadata([], [], key("pre", "no-such-rule")));
  expect(unknown.preTokenizer).toBe("gpt-2");
  expect(unknown.warnings.join()).toContain("no-such-rule");
  const missing = createTokenizer(bpeMetadata([], [], key("pre", undefined)));
  expect(missing.preTokenizer).toBe("default");
  expect(missing.warnings.join()).toContain("tokenizer.ggml.pre");
});

describe("the end of an answer", () => {
  const ends = (extra: readonly [text: string, type: number][], keys = {}) => {
    const tokenizer = createTokenizer(
      bpeMetadata(
        [],
        extra.map(([text, type]) => ({ text, type })),
        keys,
      ),
    );
    return [...tokenizer.endIds].map((id) => tokenizer.label(id)).sort();
  };

  test("is each token that the file names, and each control token with a known text", () => {
    const extra: [string, number][] = [
      ["<eos>x", CONTROL],
      ["<|im_end|>", CONTROL],
      ["<|eot_id|>", CONTROL],
      ["<other>", CONTROL],
    ];
    expect(ends(extra, key("eos_token_id", 256))).toEqual(["<eos>x", "<|eot_id|>", "<|im_end|>"]);
    expect(ends(extra, key("eot_token_id", 259))).toEqual(["<other>", "<|eot_id|>", "<|im_end|>"]);
  });

  test("is not a piece of text that looks like one", () => {
    expect(
      ends([
        ["</s>", NORMAL],
        ["<|im_end|>", CONTROL],
      ]),
    ).toEqual(["<|im_end|>"]);
  });

  test("is not the end of a message within a turn (harmony)", () => {
    const texts = ["<|end|>", "<|return|>", "<|call|>"];
    expect(ends(texts.map((text) => [text, CONTROL]))).toEqual(["<|call|>", "<|return|>"]);
  });

  test("makes a user-defined token with such a text a control token", () => {
    const tokenizer = createTokenizer(bpeMetadata([], [{ text: "<|im_end|>", type: USER_DEFINED }]));
    expect(tokenizer.kind(256)).toBe("control");
    expect(tokenizer.encode("<|im_end|>")).not.toContain(256);
    expect(tokenizer.warnings.join()).toContain("<|im_end|>");
  });
});

test("tokens have a kind, the bytes they add to text, and a label", () => {
  const tokenizer = createTokenizer(
    bpeMetadata(
      ["\u0120 a"],
      [
        { text: "<|im_end|>", type: CONTROL },
        { text: "<x y>", type: USER_DEFINED },
        { text: "[PAD]", type: UNUSED },
      ],
    ),
  );
  const describeId = (id: number) => [tokenizer.kind(id), [...tokenizer.piece(id)], tokenizer.label(id)];
  expect(describeId(0xf0)).toEqual(["normal", [0xf0], "\\xf0"]);
  expect(describeId(256)).toEqual(["normal", [0x20, 0x61], " a"]);
  expect(describeId(257)).toEqual(["control", [], "<|im_end|>"]);
  expect(describeId(258)).toEqual(["userDefined", [...new TextEncoder().encode("<x y>")], "<x y>"]);
  expect(describeId(259)[0]).toBe("unused");
  expect(tokenizer.idOf("<|im_end|>")).toBe(257);
  expect(tokenizer.idOf("no such token")).toBeUndefined();
  expect(tokenizer.controlPieces).toEqual(["<|im_end|>"]);
});

test("of two tokens with one text the first is encoded, and both decode", () => {
  const tokenizer = createTokenizer(bpeMetadata(["a b"], [{ text: "ab", type: NORMAL }]));
  expect([...tokenizer.encode("ab")]).toEqual([256]);
  expect(tokenizer.decode([257])).toBe("ab");
});

test("SentencePiece without byte tokens gives one unknown token for a character", () => {
  const metadata = spmMetadata([], {
    ...tokens("<unk>", "<s>", "</s>", "\u2581", "a"),
    ...key("scores", new Float32Array(5)),
    ...key("token_type", Int32Array.of(2, 3, 3, 1, 1)),
  });
  expect([...createTokenizer(metadata).encode("a\u6f22a", { addBos: false })]).toEqual([3, 4, 0, 4]);
});

test("SentencePiece whose tokens cross words merges across them", () => {
  const extra = ["\u2581", "a", "b", "a\u2581", "a\u2581b"].map((text, i) => ({ text, type: NORMAL, score: -i }));
  const tokenizer = createTokenizer(spmMetadata(extra, key("add_space_prefix", false)));
  expect([...tokenizer.encode("a b", { addBos: false })].map((id) => tokenizer.label(id))).toEqual(["a b"]);
});

test("a model that merges no whole words still finds them, where its rule says so", () => {
  const extra = [{ text: "hello", type: NORMAL }];
  const labels = (pre: string) => {
    const tokenizer = createTokenizer(bpeMetadata([], extra, key("pre", pre)));
    return [...tokenizer.encode("hello")].map((id) => tokenizer.label(id));
  };
  expect(labels("llama-bpe")).toEqual(["hello"]);
  expect(labels("gpt-2")).toEqual([..."hello"]);
});

test("a text that no context could hold is refused", async () => {
  const tokenizer = await loadTokenizer("gpt-2");
  const refused = expect.objectContaining({ code: "budget_exceeded" });
  expect(() => tokenizer.encode("a".repeat(MAX_TEXT_LENGTH + 1))).toThrow(refused);
  for (const unit of ["\u6f22", "\u0301", "\u{1f600}", "\u6f22A"])
    expect(tokenizer.encode(unit.repeat(MAX_TEXT_LENGTH / unit.length)).length).toBeGreaterThan(0);
});
