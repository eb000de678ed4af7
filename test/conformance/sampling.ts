// What every Runtime that can sample owes its callers: the CPU sampler's token and logprobs, of the logits that it would give.
import { describe, expect, test } from "vitest";
import type { Row, Runtime, SequenceId } from "../../src/runtime/runtime.ts";
import { compilePlan, type SamplingOptions } from "../../src/sampling/plan.ts";
import { type Sampled, sample } from "../../src/sampling/sampler.ts";
import { options } from "../sampling/options.ts";
import { feed, type MakeRuntime, useRuntime } from "./conformance.ts";
import { TOKENS, VOCAB_SIZE } from "./models.ts";

const PROMPT = TOKENS.slice(0, 30);
const SAMPLED = [5, 9, 9, 7, 5, 9];
const LAST = { logits: true, at: "last" } as const;

/** Those at the end are for no GPU. */
const SETTINGS: readonly Partial<SamplingOptions>[] = [
  { temperature: 0 },
  {},
  { temperature: 0.7, topK: 20, topP: 0.9, minP: 0.01, logprobs: 5 },
  { temperature: 1.5, frequencyPenalty: 1, presencePenalty: 0.5, logitBias: new Map([[3, 2]]), logprobs: 20 },
  { repetitionPenalty: 1.4, temperature: 0, logprobs: 0 },
  { typicalP: 0.8 },
  { dry: { multiplier: 1, base: 1.5, allowedLength: 1, breakers: new Set() }, topK: 30 },
  { minTokens: { count: 10, heldBack: new Set([1, 2]) }, xtc: { probability: 0.5, threshold: 0.01 } },
  { masked: true },
  { masked: true, temperature: 0 },
];
/** The suite's memory is that of eight pages. */
const ROWS = 5;

export function describeSampling(makeRuntime: MakeRuntime): void {
  describe("draws the tokens that the CPU sampler draws", () => {
    const shared = useRuntime(makeRuntime, { contextLength: 256 });

    function sampleRow(sequence: SequenceId, id: number, settings: Partial<SamplingOptions>, seed: number): Row {
      const plan = compilePlan(options({ ...settings, seed: BigInt(seed) }));
      const history = { prompt: PROMPT, sampled: SAMPLED };
      const mask = plan.options.masked ? new Uint32Array(Math.ceil(VOCAB_SIZE / 32)).fill(0x5555_5555) : undefined;
      return { sequence, input: { ids: [id] }, want: "sample", plan, history, ...(mask && { mask }) };
    }

    /** The CPU sampler's choice, for the logits that the same sequence gives. */
    async function expected(runtime: Runtime, row: Row, stage: "prefill" | "decode") {
      const sequence = shared.open();
      await feed(runtime, sequence, PROMPT, "prefill", 64);
      const { rows } = await runtime.step({ stage, rows: [{ sequence, input: row.input, want: LAST }] });
      runtime.free(sequence);
      return sample(rows[0]!.logits![0]!, row.plan!, row.history!, row.mask);
    }

    async function openFed(runtime: Runtime): Promise<SequenceId> {
      const sequence = shared.open();
      await feed(runtime, sequence, PROMPT, "prefill", 64);
      return sequence;
    }

    test.for(["decode", "prefill"] as const)(
      "in %s rows, under every setting, all in one step",
      async (stage, { skip }) => {
        const runtime = await shared();
        if (!runtime.info.capabilities.has("sample")) skip();
        for (let from = 0; from < SETTINGS.length; from += ROWS) {
          const rows: Row[] = [];
          for (const [index, settings] of SETTINGS.slice(from, from + ROWS).entries()) {
            rows.push(sampleRow(await openFed(runtime), TOKENS[40 + index]!, settings, from + index));
          }
          const result = await runtime.step({ stage, rows });
          shared.freeAll();
          for (const [index, row] of rows.entries()) {
            expect(result.rows[index], `${from + index}`).toEqual({ tokens: [await expected(runtime, row, stage)] });
          }
        }
      },
    );

    describe("and those of a draft, as far as it is right", () => {
      const COUNT = 4;
      const settings = SETTINGS.filter(({ masked }) => !masked);
      const LAST_ID = TOKENS[40]!;

      /** What single steps give, one after the other. */
      async function oneByOne(runtime: Runtime, asked: Partial<SamplingOptions>): Promise<Sampled[]> {
        const sequence = await openFed(runtime);
        const { plan, history } = sampleRow(sequence, LAST_ID, asked, 1);
        const out: Sampled[] = [];
        for (let id = LAST_ID; out.length < COUNT; id = out.at(-1)!.token) {
          const sampled = [...Array.from(history!.sampled), ...out.map(({ token }) => token)];
          const [logits] = await feed(runtime, sequence, [id], "decode", 1);
          out.push(sample(logits!, plan!, { prompt: PROMPT, sampled }));
        }
        runtime.free(sequence);
        return out;
      }

      async function verified(
        runtime: Runtime,
        asked: Partial<SamplingOptions>,
        draft: readonly number[],
      ): Promise<Row> {
        const row = sampleRow(await openFed(runtime), LAST_ID, asked, 1);
        return { ...row, input: { ids: [LAST_ID, ...draft] }, want: "verify" };
      }

      test.for([
        ["all of it", 3],
        ["its first two tokens", 2],
        ["none of it", 0],
      ] as const)("%s", async ([, right], { skip }) => {
        const runtime = await shared();
        if (!runtime.info.capabilities.has("verify")) skip();
        for (const [index, asked] of settings.entries()) {
          const single = await oneByOne(runtime, asked);
          const tokens = single.map(({ token }) => token);
          const draft = tokens
            .slice(0, COUNT - 1)
            .map((token, place) => (place < right ? token : (token + 1) % VOCAB_SIZE));
          // Beside another answer's token, and a draft of its own.
          const other = sampleRow(await openFed(runtime), 3, { topP: 0.9 }, 9);
          const rows = [
            await verified(runtime, asked, draft),
            other,
            await verified(runtime, { temperature: 0 }, [1, 2]),
          ];
          const result = await runtime.step({ stage: "decode", rows });
          expect(result.rows[0], `${index}`).toEqual({ tokens: single.slice(0, right + 1) });
          expect(result.rows[1]).toEqual({ tokens: [await expected(runtime, other, "decode")] });
          expect(result.rows[2]!.tokens![0]).toEqual((await oneByOne(runtime, { temperature: 0 }))[0]);
          shared.freeAll();
        }
      });
    });

    test("beside rows that want logits, or nothing", async ({ skip }) => {
      const runtime = await shared();
      if (!runtime.info.capabilities.has("sample")) skip();
      const [a, b, c, d] = [
        await openFed(runtime),
        await openFed(runtime),
        await openFed(runtime),
        await openFed(runtime),
      ];
      const [first, last] = [sampleRow(a, 3, {}, 1), sampleRow(d, 6, { logprobs: 2 }, 2)];
      const logitsOf = { sequence: b, input: { ids: [4] }, want: LAST } as const;
      const nothing = { sequence: c, input: { ids: [5] }, want: "none" } as const;
      const result = await runtime.step({ stage: "decode", rows: [first, logitsOf, nothing, last] });
      expect(result.rows.map((row) => Object.keys(row))).toEqual([["tokens"], ["logits"], [], ["tokens"]]);
      expect(result.rows[0]!.tokens).toEqual([await expected(runtime, first, "decode")]);
      expect(result.rows[3]!.tokens).toEqual([await expected(runtime, last, "decode")]);
      const fresh = await openFed(runtime);
      expect(result.rows[1]!.logits).toEqual(await feed(runtime, fresh, [4], "decode", 1));
    });

    test("beside more rows of logits than a head takes at once", async ({ skip }) => {
      const runtime = await shared();
      if (!runtime.info.capabilities.has("sample")) skip();
      const ids = TOKENS.slice(60, 80);
      const rows: Row[] = [
        sampleRow(await openFed(runtime), 3, { topP: 0.9 }, 1),
        { sequence: await openFed(runtime), input: { ids }, want: { logits: true, at: "all" } },
        sampleRow(await openFed(runtime), 4, { logprobs: 3, frequencyPenalty: 1 }, 2),
      ];
      const result = await runtime.step({ stage: "prefill", rows });
      expect(result.rows[1]!.logits).toEqual(await feed(runtime, await openFed(runtime), ids, "prefill", 64));
      for (const index of [0, 2]) {
        expect(result.rows[index]).toEqual({ tokens: [await expected(runtime, rows[index]!, "prefill")] });
      }
    });
  });
}
