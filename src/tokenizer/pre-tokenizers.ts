// The named rules (`tokenizer.ggml.pre`) that split text into words before BPE merges: ours, never a pattern out of a file.
// A rule is a list of regexes applied one after another, each splitting what the former left into matches and the rest.
// `\s` is written \p{White_Space} (JavaScript's \s has U+FEFF and lacks U+0085) and non-ASCII is escaped: some letters in the
// DeepSeek list change under normalization. All are linear in V8: no regex looks further than its own match again and again.
// Source: llama.cpp's llama-vocab.cpp, and the tokenizer.json files it cites where its own regex is an approximation.

import { EngineError } from "../base/errors.ts";
import { DEEPSEEK_LETTERS } from "./deepseek-letters.ts";

export interface PreTokenizer {
  /** The name that the rule is known by: the first of its aliases. */
  readonly name: string;
  readonly steps: readonly RegExp[];
  /** A word that is a token as a whole is not merged (`ignore_merges`). */
  readonly wholeWords: boolean;
  /** Whether a BOS token is put first when the file does not say. */
  readonly addBos: boolean;
}

const SPACE = "\\p{White_Space}";
const PUNCTUATION = `[^${SPACE}\\p{L}\\p{N}]`;
const SPACES = `${SPACE}+(?!\\P{White_Space})|${SPACE}+`; // the last space before a word goes with the word
/** ASCII letters only, as in llama.cpp and @huggingface/tokenizers; the Rust library's (?i:'s) also takes U+017F, a long s. */
const CONTRACTION = "'(?:[sStTmMdD]|[rR][eE]|[vV][eE]|[lL][lL])";
const WORD = "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+";
const LINES = `${SPACE}*[\\r\\n]+`;

const GPT2 = `'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?${PUNCTUATION}+|${SPACES}`;
const llama3 = (digits: string): string =>
  `${CONTRACTION}|${WORD}|${digits}| ?${PUNCTUATION}+[\\r\\n]*|${LINES}|${SPACES}`;
const UPPER = "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]";
const LOWER = "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]";
const o200k = (contraction: string, digits: string): string =>
  `[^\\r\\n\\p{L}\\p{N}]?${UPPER}*${LOWER}+${contraction}|[^\\r\\n\\p{L}\\p{N}]?${UPPER}+${LOWER}*${contraction}|` +
  `${digits}| ?${PUNCTUATION}+[\\r\\n/]*|${LINES}|${SPACES}`;
const DEEPSEEK_CJK = "[\\u{4e00}-\\u{9fa5}\\u{800}-\\u{4e00}\\u{ac00}-\\u{d7ff}]+";
const DEEPSEEK_PUNCTUATION = "[!-\\/:-~\\u{ff01}-\\u{ff0f}\\u{ff1a}-\\u{ff5e}\\u{2018}-\\u{201f}\\u{3000}-\\u{3002}]+";
const DEEPSEEK_V3_MAIN =
  "[!\"#$%&'()*+,\\-.\\/:;<=>?@\\[\\\\\\]^_`\\{\\|\\}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+|" +
  ` ?[\\p{P}\\p{S}]+[\\r\\n]*|${LINES}|${SPACES}`;
const BLOOM = ` ?[^(${SPACE}\\|.,!?\\u{2026}\\u{3002}\\u{ff0c}\\u{3001}\\u{964}\\u{6d4}\\u{60c})]+`;

interface Rule {
  readonly names: readonly string[];
  readonly steps: readonly string[];
  readonly wholeWords?: true;
  readonly addBos?: true;
}

/** The one table of rules. */
const RULES: readonly Rule[] = [
  {
    names: [
      ...[
        "gpt-2",
        "phi-2",
        "mpt",
        "olmo",
        "jais",
        "trillion",
        "exaone4",
        "mellum",
        "gigachat",
        "a.x-4.0",
        "modern-bert",
      ],
      ...[
        "granite-docling",
        "roberta-bpe",
        "jina-es",
        "jina-de",
        "jina-v1-en",
        "jina-v2-es",
        "jina-v2-de",
        "jina-v2-code",
      ],
    ],
    steps: [GPT2],
  },
  {
    names: ["smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b", "mellum2"],
    steps: ["\\p{N}", GPT2],
  },
  { names: ["falcon"], steps: ["[\\p{P}$+<=>^~\\|`]+", GPT2, "[0-9][0-9][0-9]"] },
  { names: ["default"], steps: ["[\\p{P}$+<=>^~\\|]+", GPT2, "\\p{N}+", "[0-9][0-9][0-9]"] },
  {
    names: ["llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2", "jina-v5-nano"],
    steps: [llama3("\\p{N}{1,3}")],
    wholeWords: true,
    addBos: true,
  },
  { names: ["dbrx", "smaug-bpe", "glm4", "chatglm-bpe"], steps: [llama3("\\p{N}{1,3}")] },
  { names: ["minicpm5"], steps: ["\\p{N}{1,3}", llama3("\\p{N}+")], wholeWords: true },
  {
    names: [
      ...["qwen2", "deepseek-r1-qwen", "stablelm2", "megrez", "hunyuan", "grok-2", "kormo", "f2llmv2", "solar-open"],
    ],
    steps: [llama3("\\p{N}")],
  },
  {
    names: ["qwen35"],
    steps: [
      `${CONTRACTION}|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^${SPACE}\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|${LINES}|${SPACES}`,
    ],
  },
  {
    names: ["gpt-4o", "llama4", "minimax-m2", "kanana2", "talkie"],
    steps: [o200k(`(?:${CONTRACTION})?`, "\\p{N}{1,3}")],
  },
  { names: ["tekken"], steps: [o200k("", "\\p{N}")], wholeWords: true, addBos: true },
  {
    names: ["deepseek-llm"],
    steps: [
      "[\\r\\n]",
      `${SPACE}?[${DEEPSEEK_LETTERS}]+`,
      `${SPACE}?${DEEPSEEK_PUNCTUATION}`,
      `(?<!${SPACE})${SPACE}+$`, // the lookbehind changes no match and keeps a run of spaces from being tried at each place
      DEEPSEEK_CJK,
      "\\p{N}+",
    ],
  },
  {
    names: ["deepseek-coder"],
    steps: ["[\\r\\n]", `${SPACE}?\\p{L}+`, `${SPACE}?\\p{P}+`, DEEPSEEK_CJK, "\\p{N}"],
  },
  {
    names: ["deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4"],
    steps: ["\\p{N}{1,3}", "[\\u{4e00}-\\u{9fa5}\\u{3040}-\\u{309f}\\u{30a0}-\\u{30ff}]+", DEEPSEEK_V3_MAIN],
  },
  { names: ["poro-chat", "bloom", "gpt3-finnish"], steps: [BLOOM] },
  { names: ["viking"], steps: [BLOOM, "\\p{N}"] },
  {
    names: ["bailingmoe", "bailingmoe2", "llada-moe"],
    steps: [`${CONTRACTION}|${WORD}|\\p{N}| ?${PUNCTUATION}+[\\r\\n]*|${SPACE}*[\\r\\n]|${SPACES}`],
  },
  {
    names: ["seed-coder"],
    steps: [`${CONTRACTION}|${WORD}|\\p{N}| ?[^${SPACE}\\p{L}\\p{N}\\r\\n]+|${LINES}|${SPACES}`],
  },
];

/** Every name that has a rule. */
export const PRE_TOKENIZER_NAMES: readonly string[] = RULES.flatMap((rule) => rule.names);

/** The rule of this name; undefined when there is none. */
export function findPreTokenizer(name: string): PreTokenizer | undefined {
  const rule = RULES.find(({ names }) => names.includes(name));
  return (
    rule && {
      name: rule.names[0]!,
      steps: rule.steps.map((step) => new RegExp(step, "gu")),
      wholeWords: rule.wholeWords ?? false,
      addBos: rule.addBos ?? false,
    }
  );
}

/** UTF-16 units in one run of text: V8's regex stack holds a single match of several million characters, and no context does. */
export const MAX_TEXT_LENGTH = 2 * 1024 * 1024;

/**
 * Where each word of a text ends, in UTF-16 units; together the words are the text.
 * @throws EngineError `budget_exceeded` over MAX_TEXT_LENGTH
 */
export function splitWords(text: string, { steps }: PreTokenizer): readonly number[] {
  if (text.length > MAX_TEXT_LENGTH)
    throw new EngineError(
      "budget_exceeded",
      `A run of ${text.length} characters is longer than the ${MAX_TEXT_LENGTH} that the tokenizer splits: shorten the prompt.`,
      { details: { budget: "text_length", limit: MAX_TEXT_LENGTH } },
    );
  let ends: number[] = text.length === 0 ? [] : [text.length];
  for (const step of steps) ends = splitEach(text, ends, step);
  return ends;
}

function splitEach(text: string, ends: readonly number[], step: RegExp): number[] {
  const out: number[] = [];
  let from = 0;
  for (const end of ends) {
    const part = ends.length === 1 ? text : text.slice(from, end); // a lookahead must not see beyond its part
    let covered = 0;
    step.lastIndex = 0;
    for (let match = step.exec(part); match !== null; match = step.exec(part)) {
      if (match.index > covered) out.push(from + match.index);
      covered = step.lastIndex;
      out.push(from + covered);
    }
    if (covered < part.length) out.push(end);
    from = end;
  }
  return out;
}
