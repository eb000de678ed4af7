// The same request and seed give the same tokens and the same logprobs, to the bit, in every combination of what must not matter.
// Shared by the test on a tiny model and by `npm run determinism`.
import type { ChatCompletionChunk, ChatCompletionTokenLogprob, CompletionUsage } from "../../src/api/types.ts";
import { type Engine, openEngine } from "../../src/engine/engine.ts";
import { gpuHost } from "../../src/engine/gpu-host.ts";
import type { OpenModel } from "../../src/engine/model-opener.ts";

/** Whether answers are guessed ahead: by a prediction that is right but for one character, and by lookup where that is at its end. */
const SPECULATION = ["off", "on"] as const;
type Speculation = (typeof SPECULATION)[number];

export interface Combination {
  readonly segment: number;
  readonly speculation: Speculation;
  readonly stream: boolean;
  /** How many requests run at once. */
  readonly beside: number;
  /** Whether the prompt's pages are held already. */
  readonly cache: "cold" | "warm";
}

export interface Differences {
  readonly combination: Combination;
  readonly answers: number;
  readonly ids: number;
  readonly logprobBits: number;
  /** Answers whose prompt was held where it should not have been, or the other way round: they show nothing. */
  readonly wrongCache: number;
  /** Tokens of predictions that were right: with none of them, nothing was guessed. */
  readonly guessed: number;
}

export interface MatrixResult {
  readonly rows: readonly Differences[];
  /** Of the first run, how many differ from each other: with one for each prompt, the matrix would show nothing. */
  readonly distinctAnswers: number;
}

export interface MatrixOptions {
  readonly gpu: GPU;
  readonly openModel: OpenModel;
  readonly prompts: readonly string[];
  readonly seeds: readonly (number | string)[];
  /** Of each answer. */
  readonly tokens: number;
  /** Each combination runs one case in so many; default: all of them. */
  readonly oneIn?: number;
  /** After each group of answers. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** Tokens of a prompt in one step. */
const SEGMENTS = [256, 64];
const TOGETHER = 4;
const PAGE_LENGTH = 64;

interface Case {
  readonly prompt: string;
  readonly seed: number | string;
}

interface Outcome {
  readonly ids: readonly number[];
  readonly entries: readonly ChatCompletionTokenLogprob[];
  readonly usage: CompletionUsage;
}

/** Compares every combination with the answers of a first quiet run: cold, plain, alone, in long segments, unguessed. */
export async function runMatrix(options: MatrixOptions): Promise<MatrixResult> {
  const { prompts, seeds, oneIn = 1 } = options;
  const cases = prompts.flatMap((prompt) => seeds.map((seed) => ({ prompt, seed })));
  const settings = combinations();
  const chosen = settings.map((_, place) => cases.filter((_case, index) => (index + place) % oneIn === 0));
  const total = cases.length + 2 * chosen.reduce((sum, { length }) => sum + length, 0);
  const quiet = new Map<Case, Outcome>();
  const rows: Differences[] = [];
  let done = 0;
  const progress = (count: number) => {
    done += count;
    options.onProgress?.(done, total);
  };
  for (const { segment, speculation } of SEGMENTS.flatMap((segment) =>
    SPECULATION.map((speculation) => ({ segment, speculation })),
  )) {
    const engine = await openAt(segment, speculation, options);
    const ask = askerOf(engine, options.tokens);
    try {
      if (quiet.size === 0)
        for (const [index, each] of cases.entries()) {
          quiet.set(each, await ask(each, { stream: false }, `first run ${index}`));
          progress(1);
        }
      for (const [place, setting] of settings.entries()) {
        if (setting.segment !== segment || setting.speculation !== speculation) continue;
        const tally = { cold: newTally(), warm: newTally() };
        for (const [index, group] of groupsOf(chosen[place]!, setting.beside).entries()) {
          for (const cache of ["cold", "warm"] as const) {
            const asked = group.map((each, member) => {
              const guess = speculation === "on" ? nearly(quiet.get(each)!) : undefined;
              return ask(each, { ...setting, guess }, `${segment} ${place} ${index} ${member}`);
            });
            for (const [member, outcome] of (await Promise.all(asked)).entries())
              compare(quiet.get(group[member]!)!, outcome, cache, tally[cache]);
            progress(group.length);
          }
        }
        for (const cache of ["cold", "warm"] as const)
          rows.push({ combination: { ...setting, cache }, ...tally[cache] });
      }
    } finally {
      await engine.dispose();
    }
  }
  const answers = new Set([...quiet].map(([{ prompt }, { ids }]) => JSON.stringify([prompt, ids])));
  return { rows, distinctAnswers: answers.size };
}

export function describeCombination({ segment, speculation, stream, beside, cache }: Combination): string {
  const company = beside > 1 ? `with ${beside - 1} others` : "alone";
  return [stream ? "streamed" : "plain", cache, `segments of ${segment}`, company, `speculation ${speculation}`].join(
    ", ",
  );
}

function combinations(): Omit<Combination, "cache">[] {
  return SEGMENTS.flatMap((segment) =>
    SPECULATION.flatMap((speculation) =>
      [false, true].flatMap((stream) => [1, TOGETHER].map((beside) => ({ segment, speculation, stream, beside }))),
    ),
  );
}

function openAt(prefillRows: number, speculation: Speculation, { gpu, openModel }: MatrixOptions): Promise<Engine> {
  const openGpu = gpuHost(gpu);
  return openEngine({
    id: "model",
    openModel,
    speculate: speculation === "on" ? "lookup" : "off",
    isolateUsers: true, // so that a cold prompt is one of a user who has not been here
    async openHost() {
      const host = await openGpu();
      return { ...host, plan: (spec, wish) => host.plan(spec, { ...wish, prefillRows }) };
    },
  });
}

function askerOf(engine: Engine, tokens: number) {
  return async (
    { prompt, seed }: Case,
    { stream, guess }: { stream: boolean; guess?: string | undefined },
    user: string,
  ): Promise<Outcome> => {
    const params = {
      model: "model",
      messages: [{ role: "user" as const, content: prompt }],
      seed,
      max_tokens: tokens,
      ignore_eos: true,
      logprobs: true,
      top_logprobs: 3,
      return_token_ids: true,
      safety_identifier: user,
      ...(guess !== undefined && { prediction: { type: "content" as const, content: guess } }),
    };
    if (!stream) {
      const { choices, usage } = await engine.chat.completions.create(params);
      return { ids: choices[0]!.token_ids!, entries: choices[0]!.logprobs!.content!, usage: usage! };
    }
    const chunks: ChatCompletionChunk[] = [];
    const streaming = { ...params, stream: true as const, stream_options: { include_usage: true } };
    for await (const chunk of await engine.chat.completions.create(streaming)) chunks.push(chunk);
    const choices = chunks.flatMap((chunk) => chunk.choices);
    return {
      ids: choices.flatMap(({ token_ids }) => token_ids ?? []),
      entries: choices.flatMap(({ logprobs }) => logprobs?.content ?? []),
      usage: chunks.at(-1)!.usage!,
    };
  };
}

type Tally = { -readonly [Key in Exclude<keyof Differences, "combination">]: number };

const newTally = (): Tally => ({ answers: 0, ids: 0, logprobBits: 0, wrongCache: 0, guessed: 0 });

function compare(expected: Outcome, { ids, entries, usage }: Outcome, cache: Combination["cache"], tally: Tally): void {
  tally.answers++;
  tally.guessed += usage.completion_tokens_details!.accepted_prediction_tokens;
  tally.ids += differences(expected.ids, ids);
  tally.logprobBits += differences(expected.entries.flatMap(numbersOf), entries.flatMap(numbersOf));
  const whole = Math.floor((usage.prompt_tokens - 1) / PAGE_LENGTH) * PAGE_LENGTH;
  if (usage.prompt_tokens_details!.cached_tokens !== (cache === "warm" ? whole : 0)) tally.wrongCache++;
}

/** An answer's text with its middle character gone. */
function nearly({ entries }: Outcome): string {
  const bytes = entries.flatMap((entry) => entry.bytes ?? []);
  const characters = Array.from(new TextDecoder().decode(new Uint8Array(bytes)));
  return characters.toSpliced(characters.length >> 1, 1).join("");
}

function numbersOf({ logprob, top_logprobs }: ChatCompletionTokenLogprob): number[] {
  return [logprob, ...top_logprobs.map((entry) => entry.logprob)];
}

/** Places at which two lists are not the same, those included that only one has. */
function differences(a: readonly number[], b: readonly number[]): number {
  let count = 0;
  for (let place = 0; place < Math.max(a.length, b.length); place++) if (!Object.is(a[place], b[place])) count++;
  return count;
}

function groupsOf<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, group) =>
    items.slice(group * size, (group + 1) * size),
  );
}
