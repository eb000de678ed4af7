// Which tokens begin a sequence and which end an answer: what the file says, and the end texts that everyone knows.
// Source of the texts and exceptions: llama.cpp's llama-vocab.cpp (`special_eog_ids`).

import type { Metadata } from "../gguf/metadata.ts";
import { malformedVocabulary } from "./rules.ts";
import type { Vocabulary } from "./vocabulary.ts";

export interface SpecialIds {
  readonly bosId: number | undefined;
  readonly eosId: number | undefined;
  readonly unknownId: number | undefined;
  /** Every token that ends an answer. */
  readonly endIds: ReadonlySet<number>;
  readonly addBos: boolean;
  readonly addEos: boolean;
  readonly warnings: readonly string[];
}

/** What holds for a kind of model where its file is silent. */
export interface SpecialDefaults {
  readonly bosId?: number;
  readonly eosId?: number;
  readonly unknownId?: number;
  readonly addBos: boolean;
}

const PREFIX = "tokenizer.ggml.";
const END_KEYS = ["eos_token_id", "eot_token_id", "eom_token_id"];
const END_TEXTS = [
  ...["<|eot_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<|calls|>", "<|flush|>", "<end_of_turn>"],
  ...[
    "<|endoftext|>",
    "</s>",
    "<|eom_id|>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
    "<|end_of_text|>",
    "<end_of_utterance>",
  ],
  ...["<eos>", "<turn|>", "<|tool_response>", "<\uff5cend\u2581of\u2581sentence\uff5c>", "[e~["],
  ...[
    "<|fim_pad|>",
    "<fim-pad>",
    "<fim_pad>",
    "<|fim_repo|>",
    "<|repo_name|>",
    "<fim-repo>",
    "<reponame>",
    "<|file_sep|>",
  ],
];
/** With the first of these, messages end by the second and the turn goes on (harmony; gemma4). */
const NOT_ENDS = [
  { where: ["<|return|>", "<|call|>"], text: "<|end|>" },
  { where: ["<|flush|>", "<|calls|>"], text: "<|end|>" },
  { where: ["<|tool_response>"], text: "</s>" },
];

/**
 * Also makes user-defined tokens with an end text control tokens: they are, and text must not contain them.
 * @throws EngineError `model_malformed`
 */
export function readSpecialIds(metadata: Metadata, vocabulary: Vocabulary, defaults: SpecialDefaults): SpecialIds {
  const warnings: string[] = [];
  const idOf = (key: string): number | undefined => {
    const id = metadata.number(PREFIX + key);
    if (id !== undefined && !(Number.isInteger(id) && id >= 0 && id < vocabulary.size))
      throw malformedVocabulary(metadata, PREFIX + key, "token-id", `${id} for ${vocabulary.size} tokens`);
    return id;
  };
  const controlId = (id: number | undefined): number | undefined =>
    id !== undefined && id < vocabulary.size && ["control", "unknown"].includes(vocabulary.kind(id)) ? id : undefined;
  const bosId = idOf("bos_token_id") ?? controlId(defaults.bosId);
  const eosId = idOf("eos_token_id") ?? controlId(defaults.eosId);

  const endTexts = new Map<string, number>();
  for (const text of END_TEXTS) {
    const id = vocabulary.find(new TextEncoder().encode(text));
    if (id === undefined) continue;
    const kind = vocabulary.kind(id);
    if (kind !== "control" && kind !== "userDefined") continue; // a piece of text that only looks like it
    if (kind === "userDefined") {
      vocabulary.setKind(id, "control");
      warnings.push(`Token ${id}, ${text}, is marked as user-defined in the file and is taken as a control token.`);
    }
    endTexts.set(text, id);
  }
  const notEnds = NOT_ENDS.filter(({ where }) => where.every((text) => endTexts.has(text)));
  for (const { text } of notEnds) endTexts.delete(text);

  const named = END_KEYS.map(idOf).filter((id) => id !== undefined);
  const endIds = new Set([...named, ...(eosId === undefined ? [] : [eosId]), ...endTexts.values()]);
  if (endIds.size === 0) warnings.push("No token ends an answer: only a length limit or a stop string will.");

  return {
    bosId,
    eosId,
    unknownId: idOf("unknown_token_id") ?? controlId(defaults.unknownId),
    endIds,
    addBos: readAdd(metadata, "bos", bosId, defaults.addBos),
    addEos: readAdd(metadata, "eos", eosId, false),
    warnings,
  };
}

function readAdd(metadata: Metadata, which: "bos" | "eos", id: number | undefined, otherwise: boolean): boolean {
  const key = `${PREFIX}add_${which}_token`;
  const asked = metadata.boolean(key);
  if (asked === true && id === undefined)
    throw malformedVocabulary(metadata, key, `${which}-missing`, `no ${PREFIX}${which}_token_id`);
  return id !== undefined && (asked ?? otherwise);
}
