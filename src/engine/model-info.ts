// Facts about a loaded model, for people and for the fingerprint.
import type { ChatTemplate } from "../chat/template.ts";
import type { Gguf } from "../gguf/gguf.ts";
import type { KvCacheType } from "../kernels/kv-format.ts";
import type { Precision } from "../kernels/precision.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import { fingerprintOf } from "./fingerprint.ts";
import type { RuntimeHost } from "./runtime-host.ts";
import { ENGINE_VERSION } from "./version.ts";

export interface ModelInfo {
  /** What `model` is in responses. */
  readonly id: string;
  /** The file's own name for the model, or that of the file. */
  readonly name: string;
  readonly architecture: string;
  readonly parameters: number;
  readonly fileBytes: number;
  /** Number of tensors by weight format, the most frequent first. */
  readonly formats: Readonly<Record<string, number>>;
  /** Tokens that prompt and answer may have together. */
  readonly contextLength: number;
  /** What the model was trained for, where the file says so. */
  readonly trainedContextLength?: number;
  /** How keys and values are kept. */
  readonly kvCache: KvCacheType;
  /** Whether activations may be rounded to bytes. */
  readonly precision: Precision;
  /** GPU memory of keys, values and scratch: what the model takes of the memory budget. */
  readonly memoryBytes: number;
  readonly vocabSize: number;
  readonly tokenizer: string;
  /** The model's own chat template, or the built-in one that stands in. */
  readonly template: ChatTemplate["origin"];
  readonly warnings: readonly string[];
  readonly adapter: string;
  readonly features: readonly string[];
  /** `system_fingerprint` of every answer. */
  readonly fingerprint: string;
  readonly engineVersion: string;
}

export interface ModelFacts {
  readonly id: string | undefined;
  readonly gguf: Gguf;
  readonly tokenizer: Tokenizer;
  readonly template: ChatTemplate;
  readonly runtime: Runtime;
  readonly kvCache: KvCacheType;
  readonly precision: Precision;
  readonly memoryBytes: number;
  readonly host: RuntimeHost;
  readonly identity: string;
  readonly notes: readonly string[];
}

export async function modelInfo(facts: ModelFacts): Promise<ModelInfo> {
  const { gguf, tokenizer, template, runtime, host } = facts;
  const architecture = gguf.metadata.requireString("general.architecture");
  // The file's name tells two quantizations of one model apart, which the name in the file does not.
  const fileName = baseName(gguf.files[0]?.source.name ?? "model");
  const name = gguf.metadata.string("general.name") ?? fileName;
  const trained = gguf.metadata.number(`${architecture}.context_length`);
  return {
    id: facts.id ?? fileName,
    name,
    architecture,
    parameters: sum([...gguf.tensors.values()].map(({ shape }) => shape.reduce((product, size) => product * size, 1))),
    fileBytes: sum(gguf.files.map(({ source }) => source.size)),
    formats: formatMix(gguf),
    contextLength: runtime.info.contextLength,
    ...(trained !== undefined && { trainedContextLength: trained }),
    kvCache: facts.kvCache,
    precision: facts.precision,
    memoryBytes: facts.memoryBytes,
    vocabSize: tokenizer.vocabSize,
    tokenizer: `${tokenizer.model} / ${tokenizer.preTokenizer}`,
    template: template.origin,
    warnings: [...tokenizer.warnings, ...facts.notes],
    adapter: host.adapter,
    features: host.features,
    fingerprint: await fingerprintOf({
      build: ENGINE_VERSION,
      weights: facts.identity,
      template: templateSource(facts),
      features: host.features,
      runtime: runtime.info.fingerprint,
    }),
    engineVersion: ENGINE_VERSION,
  };
}

function templateSource({ template, gguf }: ModelFacts): string {
  const own = template.origin === "model" ? gguf.metadata.string("tokenizer.chat_template") : undefined;
  return own ?? template.origin;
}

function formatMix(gguf: Gguf): Record<string, number> {
  const counts = new Map<string, number>();
  for (const { format } of gguf.tensors.values()) counts.set(format, (counts.get(format) ?? 0) + 1);
  return Object.fromEntries([...counts].sort(([, a], [, b]) => b - a));
}

/** Of a path or an address, without the ending and a part's number. */
function baseName(path: string): string {
  const last = path
    .replace(/[?#].*$/, "")
    .split(/[\\/]/)
    .pop();
  return decoded(last || path).replace(/(-\d{5}-of-\d{5})?\.gguf$/i, "");
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
