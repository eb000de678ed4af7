// Where the tests' vocabularies are: committed and gzipped in data/, or in ../shared/data of a checkout that has it.
import { existsSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { readGguf } from "../../src/gguf/gguf.ts";
import type { Metadata } from "../../src/gguf/metadata.ts";
import { memorySource } from "../../src/storage/byte-source.ts";
import { createTokenizer, type Tokenizer } from "../../src/tokenizer/tokenizer.ts";

const SHARED = new URL("../../../shared/data/vocab/", import.meta.url);

export const dataFile = (name: string): URL => new URL(`data/${name}`, import.meta.url);
export const sharedFile = (name: string): URL => new URL(name, SHARED);

/** Bytes of a committed file, unpacked. */
export function readData(name: string): Buffer {
  const bytes = readFileSync(dataFile(name));
  return name.endsWith(".gz") ? gunzipSync(bytes) : bytes;
}

/** The metadata of a vocabulary: data/NAME.gguf.gz, else llama.cpp's ggml-vocab-NAME.gguf among the shared data. */
export async function loadMetadata(name: string): Promise<Metadata> {
  const bytes = existsSync(dataFile(`${name}.gguf.gz`))
    ? readData(`${name}.gguf.gz`)
    : readFileSync(sharedFile(`ggml-vocab-${name}.gguf`));
  return (await readGguf(memorySource(new Uint8Array(bytes), name))).metadata;
}

export async function loadTokenizer(name: string): Promise<Tokenizer> {
  return createTokenizer(await loadMetadata(name));
}

/** Whether a vocabulary is here, committed or shared. */
export function hasVocabulary(name: string): boolean {
  return existsSync(dataFile(`${name}.gguf.gz`)) || existsSync(sharedFile(`ggml-vocab-${name}.gguf`));
}

const SEPARATOR = "\n__ggml_vocab_test__\n";

/** llama.cpp's vectors: texts and the ids they must give. */
export function readVectors(name: string): { text: string; ids: number[] }[] {
  const out = existsSync(dataFile(`${name}.out`)) ? dataFile(`${name}.out`) : sharedFile(`ggml-vocab-${name}.gguf.out`);
  const lines = readFileSync(out, "utf8").split("\n");
  return readData("vectors.inp")
    .toString("utf8")
    .split(SEPARATOR)
    .filter((text, i) => i < lines.length && (text.length > 0 || i < 46))
    .map((text, i) => ({ text, ids: lines[i]!.trim() === "" ? [] : lines[i]!.trim().split(/\s+/).map(Number) }));
}
