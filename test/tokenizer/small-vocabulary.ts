// Tiny vocabularies as metadata, for tests that need one wrong or odd entry.
import { Metadata, type MetadataValue, StringArray } from "../../src/gguf/metadata.ts";
import { BYTE_TO_CODE } from "../../src/tokenizer/byte-alphabet.ts";

export const [NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE] = [1, 2, 3, 4, 5, 6] as const;

export interface Extra {
  text: string;
  type: number;
  score?: number;
}

/** All 256 bytes, then what merges make, then `extra`; entries of `keys` replace or (undefined) remove metadata. */
export function bpeMetadata(
  merges: readonly string[],
  extra: readonly Extra[] = [],
  keys: Readonly<Record<string, MetadataValue | undefined>> = {},
): Metadata {
  const bytes = Array.from(BYTE_TO_CODE, (code) => String.fromCharCode(code));
  const tokens = [...bytes, ...merges.map((merge) => merge.replace(" ", "")), ...extra.map(({ text }) => text)];
  return toMetadata({
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.pre": "gpt-2",
    "tokenizer.ggml.tokens": StringArray.from(tokens),
    "tokenizer.ggml.token_type": types(tokens.length, extra),
    "tokenizer.ggml.merges": StringArray.from(merges),
    ...keys,
  });
}

/** <unk>, <s>, </s>, the 256 byte tokens, then `extra`. */
export function spmMetadata(
  extra: readonly Extra[],
  keys: Readonly<Record<string, MetadataValue | undefined>> = {},
): Metadata {
  const bytes = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`);
  const tokens = ["<unk>", "<s>", "</s>", ...bytes, ...extra.map(({ text }) => text)];
  return toMetadata({
    "tokenizer.ggml.model": "llama",
    "tokenizer.ggml.tokens": StringArray.from(tokens),
    "tokenizer.ggml.scores": new Float32Array([...Array(259).fill(0), ...extra.map(({ score }) => score ?? 0)]),
    "tokenizer.ggml.token_type": Int32Array.from([
      UNKNOWN,
      CONTROL,
      CONTROL,
      ...Array(256).fill(BYTE),
      ...extra.map(({ type }) => type),
    ]),
    ...keys,
  });
}

function types(count: number, extra: readonly Extra[]): Int32Array {
  return Int32Array.from([...Array(count - extra.length).fill(NORMAL), ...extra.map(({ type }) => type)]);
}

function toMetadata(values: Readonly<Record<string, MetadataValue | undefined>>): Metadata {
  const entries = Object.entries(values).filter((entry): entry is [string, MetadataValue] => entry[1] !== undefined);
  return new Metadata(new Map(entries));
}
