// SentencePiece's algorithm on a vocabulary of our own (data/make-own-spm.py), against sentencepiece itself.
import { expect, test } from "vitest";
import { loadTokenizer, readData } from "./vocabularies.ts";

const tokenizer = await loadTokenizer("own-spm");
const goldens = JSON.parse(readData("own-spm.json.gz").toString("utf8")) as [text: string, ids: number[]][];

test("every text gives sentencepiece's ids", () => {
  expect(goldens.length).toBeGreaterThan(2000);
  const different = goldens
    .map(([text, ids]) => ({ text: text.slice(0, 200), ids, found: [...tokenizer.encode(text, { addBos: false })] }))
    .filter(({ ids, found }) => ids.join() !== found.join());
  expect(different).toEqual([]);
});

test("decoding gives the text back, but for U+2581, which stands for a space", () => {
  const different = goldens.filter(([text, ids]) => tokenizer.decode(ids) !== text.replaceAll("\u2581", " "));
  expect(different).toEqual([]);
});

test("a BOS token comes first unless it is declined or written", () => {
  const [bos, text] = [tokenizer.bosId!, "fire"];
  const plain = [...tokenizer.encode(text, { addBos: false })];
  expect([...tokenizer.encode(text)]).toEqual([bos, ...plain]);
  expect([...tokenizer.encode([{ text: "<s>fire", control: true }])]).toEqual([bos, ...plain]);
  expect([...tokenizer.encode([{ text: "<s>fire", control: true }], { addBos: true })]).toEqual([bos, bos, ...plain]);
});

test("a space is put before text at the start and after a control token, not after a user-defined one", () => {
  const label = (text: string) =>
    [...tokenizer.encode([{ text, control: true }], { addBos: false })].map((id) => tokenizer.label(id));
  expect(label("the</s>the<tool>the")).toEqual([" the", "</s>", " the", "<tool>", "the"]);
});

test("the detokenizer keeps the leading space of an answer and drops the one put before a sequence", () => {
  const ids = tokenizer.encode("the fire", { addBos: false });
  const read = (starts: boolean) => {
    const detokenizer = tokenizer.detokenizer({ starts });
    return [...ids].map((id) => detokenizer.push(id)).join("");
  };
  expect(read(true)).toBe("the fire");
  expect(read(false)).toBe(" the fire");
});
