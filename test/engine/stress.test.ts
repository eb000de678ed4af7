// Everything at once, by seed: requests of all widths to two models with too few pages, readers of every pace, aborts, unloads
// and losses at random moments. Whatever happens, each call ends once, nothing stays open, and no answer depends on the rest.
import { describe, expect, test } from "vitest";
import type { ChatCompletionChunk } from "../../src/api/types.ts";
import { isEngineError } from "../../src/base/errors.ts";
import { nextTask } from "../../src/base/event-loop.ts";
import { type Engine, type EngineOptions, openEngine } from "../../src/engine/engine.ts";
import { modelAtHand } from "../../src/engine/model-opener.ts";
import type { RuntimeHost } from "../../src/engine/runtime-host.ts";
import type { RequestStats } from "../../src/engine/stats.ts";
import { memorySource } from "../../src/storage/byte-source.ts";
import { createRandom, type Random } from "../fixtures/random.ts";
import { createPagedRuntime, PAGE_LENGTH, type Paged } from "./paged-runtime.ts";
import { digits, MODEL } from "./scripted-runtime.ts";

const OPEN = modelAtHand({ files: [memorySource(MODEL, "tiny.gguf")] });
const CONTEXT_LENGTH = 256;
/** One sequence to the end of its context, and one page more. */
const SCARCE = CONTEXT_LENGTH / PAGE_LENGTH + 1;
const AMPLE = 1000;
const REQUESTS = 24;
/** Far more turns of the event loop than the slowest round takes. */
const MOST_TURNS = 200_000;

/** The engine guesses ahead, and may have steps in flight; that of the answers to compare with does neither. */
async function openTwo(
  pageCount: number,
  random: Random,
  stepsInFlight: number,
  more: Pick<EngineOptions, "onStats" | "speculate"> = {},
) {
  const opened: Paged[] = [];
  const openHost = async (): Promise<RuntimeHost> => ({
    adapter: "script",
    features: [],
    plan: () => ({
      bytes: 0,
      async create() {
        const { runtime, ...paged } = createPagedRuntime(pageCount, random, digits, stepsInFlight);
        opened.push(paged);
        return runtime;
      },
    }),
    dispose() {},
  });
  const engine = await openEngine({ openHost, speculate: "lookup", ...more });
  for (const id of ["one", "two"]) await engine.load({ id, openModel: OPEN });
  return { engine, opened };
}

interface Plan {
  readonly params: {
    readonly model: string;
    readonly messages: { readonly role: "user"; readonly content: string }[];
    readonly seed: number;
    readonly n: number;
    readonly max_tokens: number;
    readonly logprobs: boolean;
    readonly prompt_logprobs?: number;
    readonly ignore_eos: true;
    readonly prediction?: { readonly type: "content"; readonly content: string };
  };
  readonly stream: boolean;
  /** Turns before it is sent. */
  readonly delay: number;
  /** Turns between two reads of its stream, at most. */
  readonly pace: number;
  /** Turns after which it is aborted, if it is. */
  readonly abortAfter?: number;
  /** Chunks after which its reader leaves, if it does. */
  readonly leaveAfter?: number;
}

function plannedRequest(random: Random): Plan {
  return {
    params: {
      model: random.pick(["one", "two"]),
      messages: [{ role: "user", content: "word ".repeat(1 + random.below(25)) }],
      seed: random.below(1000),
      n: 1 + random.below(5),
      max_tokens: 1 + random.below(random.pick([4, 30, 90])),
      logprobs: random.below(2) === 0,
      ...(random.below(6) === 0 && { prompt_logprobs: 1 }),
      ignore_eos: true,
      ...(random.below(3) === 0 && { prediction: { type: "content", content: "0123456789".repeat(random.below(9)) } }),
    },
    stream: random.below(2) === 0,
    delay: random.below(60),
    pace: random.pick([0, 0, 1, 8]),
    ...(random.below(4) === 0 && { abortAfter: random.below(120) }),
    ...(random.below(6) === 0 && { leaveAfter: random.below(20) }),
  };
}

type End = { readonly kind: "whole"; readonly answer: unknown } | { readonly kind: "left" } | { readonly code: string };

async function play(
  engine: Engine,
  { params, stream, delay, pace, abortAfter, leaveAfter }: Plan,
  random: Random,
): Promise<End> {
  await turns(delay);
  const controller = new AbortController();
  if (abortAfter !== undefined) void turns(abortAfter).then(() => controller.abort());
  const options = { signal: controller.signal };
  try {
    if (!stream) return { kind: "whole", answer: choicesOf(await engine.chat.completions.create(params, options)) };
    const chunks: ChatCompletionChunk[] = [];
    for await (const chunk of await engine.chat.completions.create({ ...params, stream: true }, options)) {
      if (chunks.push(chunk) === leaveAfter) return { kind: "left" };
      await turns(random.below(pace + 1));
    }
    return { kind: "whole", answer: joined(chunks) };
  } catch (error) {
    if (!isEngineError(error)) throw error;
    return { code: error.code };
  }
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await nextTask();
}

type Choices = {
  readonly choices: readonly { index: number; message: { content: string | null }; logprobs: unknown }[];
};

const choicesOf = ({ choices, ...answer }: Choices & { prompt_logprobs?: unknown }) => ({
  choices: choices.map(({ index, message, logprobs }) => ({ index, text: message.content, logprobs })),
  prompt: answer.prompt_logprobs,
});

function joined(chunks: readonly ChatCompletionChunk[]) {
  const parts = chunks.flatMap(({ choices }) => choices);
  const indices = [...new Set(parts.map(({ index }) => index))].sort((a, b) => a - b);
  return {
    choices: indices.map((index) => {
      const own = parts.filter((part) => part.index === index);
      const entries = own.flatMap(({ logprobs }) => logprobs?.content ?? []);
      const asked = own.some(({ logprobs }) => logprobs !== null);
      return {
        index,
        text: own.map(({ delta }) => delta.content ?? "").join(""),
        logprobs: asked ? { content: entries, refusal: null } : null,
      };
    }),
    prompt: chunks[0]?.prompt_logprobs,
  };
}

/** Fails what does not end, counted in turns of the event loop. */
async function allWithinTurns<T>(work: readonly Promise<T>[]): Promise<T[]> {
  let ended = 0;
  for (const promise of work)
    void promise.then(
      () => ended++,
      () => ended++,
    );
  for (let turn = 0; ended < work.length; turn++) {
    if (turn === MOST_TURNS) throw new Error(`${work.length - ended} of ${work.length} calls have not ended`);
    await nextTask();
  }
  return Promise.all(work);
}

const aloneEngine = openTwo(AMPLE, createRandom(0), 1, { speculate: "off" });

/** The answer to a request that has the engine for itself. */
async function aloneAnswer({ params: { prediction: _, ...params } }: Plan): Promise<unknown> {
  const { engine } = await aloneEngine;
  return choicesOf(await engine.chat.completions.create(params));
}

const quiet = (paged: readonly Paged[]) =>
  paged.map(({ scripted, pages }) => [scripted.openCount, pages.openSequences, pages.pageCount - pages.freePages]);

/** More rounds: `STRESS_ROUNDS=100`. */
const ROUNDS = Array.from({ length: Number(process.env["STRESS_ROUNDS"] ?? 6) }, (_, index) => index + 1);

describe.each(ROUNDS)("round %i", (seed) => {
  const stepsInFlight = seed % 2 === 0 ? 1 : 4;

  test("too few pages, readers of every pace, aborts: calls end once, pages come back, answers are those of calls alone", async () => {
    const random = createRandom(seed);
    const plans = Array.from({ length: REQUESTS }, () => plannedRequest(random));
    const stats: RequestStats[] = [];
    const { engine, opened } = await openTwo(SCARCE, random, stepsInFlight, {
      onStats: (figures) => stats.push(figures),
    });
    const ends = await allWithinTurns(plans.map((plan) => play(engine, plan, random)));
    await turns(20);
    expect(quiet(opened)).toEqual([
      [0, 0, 0],
      [0, 0, 0],
    ]);
    expect(new Set(stats.map(({ id }) => id)).size).toBe(stats.length);
    let whole = 0;
    for (const [index, end] of ends.entries()) {
      const plan = plans[index]!;
      if ("code" in end) expect([end.code, plan.abortAfter !== undefined]).toEqual(["aborted", true]);
      else if (end.kind === "left") expect(plan.leaveAfter).toBeDefined();
      else {
        whole++;
        expect(end.answer, `request ${index}: ${JSON.stringify(plan)}`).toEqual(await aloneAnswer(plan));
      }
    }
    expect(whole).toBeGreaterThan(REQUESTS / 3);
  });

  test("and a model is unloaded, loaded again, and lost: calls end once, whole answers are those of calls alone", async () => {
    const random = createRandom(1000 + seed);
    const plans = Array.from({ length: REQUESTS }, () => plannedRequest(random));
    const { engine, opened } = await openTwo(SCARCE, random, stepsInFlight);
    const disturb = async () => {
      await turns(random.below(150));
      await engine.unload("two");
      await turns(random.below(20));
      await engine.load({ id: "two", openModel: OPEN });
      await turns(random.below(150));
      opened.at(-1)!.scripted.lose();
      await turns(random.below(150));
      opened.at(-1)!.scripted.lose();
    };
    const disturbed = disturb();
    const ends = await allWithinTurns(plans.map((plan) => play(engine, plan, random)));
    await disturbed;
    await turns(20);
    const live = opened.filter(({ scripted }) => !scripted.disposed);
    expect(quiet(live)).toEqual(live.map(() => [0, 0, 0]));
    const codes = new Set(["aborted", "model_not_loaded", "model_not_found"]);
    for (const [index, end] of ends.entries()) {
      if ("code" in end) expect(codes).toContain(end.code);
      else if (end.kind === "whole") expect(end.answer).toEqual(await aloneAnswer(plans[index]!));
    }
    await engine.dispose();
    expect(opened.every(({ scripted }) => scripted.disposed)).toBe(true);
  });
});
