// What a Runtime with `sampledBy` owes its callers: rows that follow a token nobody has read are rows that were fed its id.
import { describe, expect, test } from "vitest";
import type { Row, Runtime, SequenceId, StepId, StepResult } from "../../src/runtime/runtime.ts";
import { compilePlan, type SamplingOptions } from "../../src/sampling/plan.ts";
import { options } from "../sampling/options.ts";
import { feed, type MakeRuntime, useRuntime } from "./conformance.ts";
import { TOKENS, VOCAB_SIZE } from "./models.ts";

const FIRST = TOKENS[70]!;
/** Their answers cross the end of a page. */
const PROMPT = TOKENS.slice(0, 60);
const LENGTH = 9;
const MASKED = { masked: true };

/** The last two are for no GPU. */
const SETTINGS: readonly Partial<SamplingOptions>[] = [
  { temperature: 0, logprobs: 3 },
  { temperature: 1.2, topK: 40, topP: 0.95, minP: 0.01, logprobs: 20 },
  {
    logitBias: new Map([
      [3, 2],
      [7, -4],
    ]),
    logprobs: 0,
  }, // prettier-ignore
  { typicalP: 0.8, logprobs: 2 },
  MASKED,
];

let ids = 0;

export function describeInFlight(makeRuntime: MakeRuntime): void {
  describe("goes on from tokens that nobody has read", () => {
    const shared = useRuntime(makeRuntime, { contextLength: 256 });

    async function openFed(runtime: Runtime, prompt: readonly number[] = PROMPT): Promise<SequenceId> {
      const sequence = shared.open();
      await feed(runtime, sequence, prompt, "prefill", 64);
      return sequence;
    }

    function draw(sequence: SequenceId, input: Row["input"], index: number, settings: Partial<SamplingOptions>): Row {
      const mask = settings.masked ? new Uint32Array(Math.ceil(VOCAB_SIZE / 32)).fill(0x5555_5555) : undefined;
      const history = { prompt: PROMPT, sampled: { length: index + 1 } };
      const plan = compilePlan(options(settings));
      return { sequence, input, want: "sample", plan, history, ...(mask && { mask }) };
    }

    /** Decode steps whose rows each follow the one before, all called at once. */
    function fly(runtime: Runtime, rows: readonly [SequenceId, Partial<SamplingOptions>][], length = LENGTH) {
      const steps: { id: StepId; result: Promise<StepResult> }[] = [];
      for (let index = 0; index < length; index++) {
        const before = steps.at(-1);
        const input = before ? { sampledBy: before.id } : { ids: [FIRST] };
        const id = ids++ as StepId;
        const batch = rows.map(([sequence, settings]) => draw(sequence, input, index, settings));
        steps.push({ id, result: runtime.step({ stage: "decode", rows: batch, id }) });
      }
      return steps;
    }

    /** The same with every token read and fed by its id. */
    async function walk(runtime: Runtime, sequence: SequenceId, settings: Partial<SamplingOptions>) {
      const sampled = [];
      for (let index = 0, id = FIRST; index < LENGTH; index++) {
        const row = draw(sequence, { ids: [id] }, index, settings);
        const [token] = (await runtime.step({ stage: "decode", rows: [row] })).rows[0]!.tokens!;
        sampled.push(token!);
        id = token!.token;
      }
      return sampled;
    }

    async function offered(skip: () => void): Promise<Runtime> {
      const runtime = await shared();
      if (!runtime.info.capabilities.has("sampledBy")) skip();
      return runtime;
    }

    test.for(SETTINGS)(
      "with the same tokens and bits, and the same keys and values: %o",
      async (settings, { skip }) => {
        const runtime = await offered(skip);
        const [walked, flown] = [await openFed(runtime), await openFed(runtime)];
        const expected = await walk(runtime, walked, settings);
        const results = await Promise.all(fly(runtime, [[flown, settings]]).map(({ result }) => result));
        expect(results.map(({ rows }) => rows[0]!.tokens![0])).toEqual(expected);
        const tail = TOKENS.slice(80, 83);
        expect(await feed(runtime, flown, tail, "decode", 3)).toEqual(await feed(runtime, walked, tail, "decode", 3));
      },
    );

    test("of several sequences in each step, drawn on both sides", async ({ skip }) => {
      const runtime = await offered(skip);
      const expected = [];
      for (const settings of SETTINGS.slice(1, 4)) {
        expected.push(await walk(runtime, await openFed(runtime), settings));
        shared.freeAll();
      }
      const rows: [SequenceId, Partial<SamplingOptions>][] = [];
      for (const settings of SETTINGS.slice(1, 4)) rows.push([await openFed(runtime), settings]);
      const results = await Promise.all(fly(runtime, rows).map(({ result }) => result));
      const tokens = rows.map((_, index) => results.map((result) => result.rows[index]!.tokens![0]));
      expect(tokens).toEqual(expected);
    });

    test("on both sides of a fork, whatever each went on with before", async ({ skip }) => {
      const runtime = await offered(skip);
      const settings = SETTINGS[1]!;
      const expected = await walk(runtime, await openFed(runtime), settings);
      const sequence = await openFed(runtime);
      const [last] = fly(runtime, [[sequence, settings]], 2).slice(-1);
      const fork = shared.own(await runtime.fork(sequence));
      const next = (side: SequenceId) => {
        const row = draw(side, { sampledBy: last!.id }, 2, settings);
        return runtime.step({ stage: "decode", rows: [row], id: ids++ as StepId });
      };
      const [other, own] = await Promise.all([next(fork), next(sequence)]);
      expect([other.rows[0]!.tokens, own.rows[0]!.tokens]).toEqual([[expected[2]], [expected[2]]]);
    });

    test("until they are cut; from then on a step that names one is refused, and what stays can be fed", async ({
      skip,
    }) => {
      const runtime = await offered(skip);
      const settings = SETTINGS[1]!;
      const expected = await walk(runtime, await openFed(runtime), settings);
      const sequence = await openFed(runtime);
      const steps = fly(runtime, [[sequence, settings]]);
      expect(await runtime.rewind(sequence, PROMPT.length + 2)).toBe(PROMPT.length + 2);
      const late = draw(sequence, { sampledBy: steps.at(-1)!.id }, 2, settings);
      await expect(runtime.step({ stage: "decode", rows: [late] })).rejects.toMatchObject({ code: "invalid_request" });
      const fed = draw(sequence, { ids: [expected[1]!.token] }, 2, settings);
      expect((await runtime.step({ stage: "decode", rows: [fed] })).rows[0]!.tokens).toEqual([expected[2]]);
    });

    test("but not over a step that came to nothing", async ({ skip }) => {
      const runtime = await offered(skip);
      const sequence = await openFed(runtime);
      const [first] = fly(runtime, [[sequence, {}]], 1);
      const [missing, after] = [ids++ as StepId, ids++ as StepId];
      const step = (by: StepId, id: StepId, index: number, signal?: AbortSignal) =>
        runtime.step({ stage: "decode", rows: [draw(sequence, { sampledBy: by }, index, {})], id }, signal);
      const refused = step(first!.id, missing, 1, AbortSignal.abort());
      const orphan = step(missing, after, 2);
      await expect(refused).rejects.toMatchObject({ code: "aborted" });
      await expect(orphan).rejects.toMatchObject({ code: "invalid_request" });
      const expected = await walk(runtime, await openFed(runtime), {});
      const again = await step(first!.id, ids++ as StepId, 1);
      expect(again.rows[0]!.tokens).toEqual([expected[1]]);
    });

    test("with the fault of the row that they follow", async ({ skip }) => {
      const runtime = await offered(skip);
      const [dead, alive] = [await openFed(runtime), await openFed(runtime)];
      const [first, second] = [ids++ as StepId, ids++ as StepId];
      const stuck = { ...draw(dead, { ids: [FIRST] }, 0, MASKED), mask: new Uint32Array(Math.ceil(VOCAB_SIZE / 32)) };
      const results = await Promise.all([
        runtime.step({ stage: "decode", rows: [stuck, draw(alive, { ids: [FIRST] }, 0, {})], id: first }),
        runtime.step({
          stage: "decode",
          rows: [dead, alive].map((sequence) => draw(sequence, { sampledBy: first }, 1, {})),
          id: second,
        }),
      ]);
      const expected = await walk(runtime, await openFed(runtime), {});
      for (const [index, { rows }] of results.entries()) {
        expect(rows[0]).toMatchObject({ fault: { code: "grammar_dead_end" } });
        expect(rows[1]!.tokens).toEqual([expected[index]]);
      }
    });

    test("and finds their pages by what they turned out to be", async ({ skip }) => {
      const runtime = await offered(skip);
      const isolation = "in flight";
      const { sequence } = await runtime.match(PROMPT, { isolation, exact: true });
      await feed(runtime, sequence, PROMPT, "prefill", 64);
      const results = await Promise.all(fly(runtime, [[sequence, {}]]).map(({ result }) => result));
      runtime.free(sequence);
      const answer = results.map(({ rows }) => rows[0]!.tokens![0]!.token);
      const found = await runtime.match([...PROMPT, FIRST, ...answer], { isolation, exact: false });
      shared.own(found.sequence);
      expect(found.length).toBe(runtime.info.pageLength);
    });

    test("unless their plans look back at them", async ({ skip }) => {
      const runtime = await offered(skip);
      const sequence = await openFed(runtime);
      const [first] = fly(runtime, [[sequence, {}]], 1);
      for (const settings of [
        { repetitionPenalty: 1.1 },
        { presencePenalty: 0.1 },
        { dry: { multiplier: 1, base: 1.5, allowedLength: 2, breakers: new Set<number>() } },
      ]) {
        const row = draw(sequence, { sampledBy: first!.id }, 1, settings);
        await expect(runtime.step({ stage: "decode", rows: [row] })).rejects.toThrow("looks back");
      }
      await first!.result;
    });
  });
}
