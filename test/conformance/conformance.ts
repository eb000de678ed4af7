// What every Runtime owes its callers: one suite for all of them, on tiny models. A new runtime calls describeRuntime.
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import type { ErrorCode } from "../../src/base/errors.ts";
import type { Row, RowWant, Runtime, RuntimeCapability, SequenceId, StepBatch } from "../../src/runtime/runtime.ts";
import { tinyModel } from "../fixtures/tiny-models.ts";
import { describeInFlight } from "./in-flight.ts";
import { GOLDEN_POSITIONS, MODELS, PLAIN_MODEL, TOKENS, VOCAB_SIZE } from "./models.ts";
import { describeSampling } from "./sampling.ts";

/** What a test asks of a runtime; whatever is left out is the runtime's choice, with KV memory for two full contexts. */
export interface ConformanceOptions {
  readonly contextLength?: number;
  readonly maxSequences?: number;
  readonly prefillRows?: number;
}

export type MakeRuntime = (model: Uint8Array<ArrayBuffer>, options: ConformanceOptions) => Promise<Runtime>;

export interface Tolerance {
  /** Largest |logprob - golden| in nats, over the whole vocabulary. */
  readonly maxAbs: number;
  /** A real GPU computes a short prompt before anybody would have to wait. */
  readonly inOnePart?: boolean;
}

const CONTEXT_LENGTH = 256;
const PREFILL_ROWS = 256;
const ALL = { logits: true, at: "all" } as const;
const LAST = { logits: true, at: "last" } as const;

const goldens = JSON.parse(gunzipSync(readFileSync(new URL("./data/goldens.json.gz", import.meta.url))).toString()) as {
  tokens: number[];
  positions: number[];
  logprobs: Record<string, number[][]>;
};

export function describeRuntime(name: string, makeRuntime: MakeRuntime, tolerance: Tolerance): void {
  describe(name, () => {
    describeExactness("is near exact arithmetic", makeRuntime, tolerance);

    describe("computes every row as if it were alone", () => {
      const shared = useRuntime(makeRuntime, { contextLength: CONTEXT_LENGTH, prefillRows: PREFILL_ROWS });

      test("prefill in segments of 1, 64 and 256 gives the same bits", async () => {
        const runtime = await shared();
        const whole = await feed(runtime, shared.open(), TOKENS, "prefill", PREFILL_ROWS);
        expectSameBits(await feed(runtime, shared.open(), TOKENS, "prefill", 64), whole);
        shared.freeAll();
        expectSameBits(await feed(runtime, shared.open(), TOKENS, "prefill", 1), whole);
      });

      test("decode rows of one sequence, 1 or 5 or 16 in a step, give the same bits", async () => {
        const runtime = await shared();
        const single = await feed(runtime, shared.open(), TOKENS, "decode", 1);
        expectSameBits(await feed(runtime, shared.open(), TOKENS, "decode", 16), single);
        shared.freeAll();
        expectSameBits(await feed(runtime, shared.open(), TOKENS, "decode", 5), single);
      });

      test.each(["prefill", "decode"] as const)("%s of three sequences together equals each alone", async (stage) => {
        const runtime = await shared();
        const starts = [TOKENS.slice(0, 70), TOKENS.slice(100, 103), TOKENS.slice(40, 103)];
        const tails = [TOKENS.slice(1, 6), TOKENS.slice(9, 10), TOKENS.slice(20, 26)];
        const alone: Float32Array[][] = [];
        for (const [index, start] of starts.entries()) {
          const sequence = shared.open();
          await feed(runtime, sequence, start, "prefill", 64);
          alone.push(await feed(runtime, sequence, tails[index]!, stage, 16));
          runtime.free(sequence);
        }
        const sequences = starts.map(() => shared.open());
        for (const [index, start] of starts.entries()) {
          await feed(runtime, sequences[index]!, start, "prefill", 64);
        }
        const together = await runtime.step({
          stage,
          rows: sequences.map((sequence, index) => ({ sequence, input: { ids: tails[index]! }, want: ALL })),
        });
        together.rows.forEach((row, index) => {
          expectSameBits(row.logits!, alone[index]!);
        });
      });

      test("rows that want the last logits, or none, get these and no others", async () => {
        const runtime = await shared();
        const every = await feed(runtime, shared.open(), TOKENS.slice(0, 7), "prefill", 7);
        const result = await runtime.step({
          stage: "prefill",
          rows: [row(shared.open(), TOKENS.slice(0, 5), "none"), row(shared.open(), TOKENS.slice(0, 7), LAST)],
        });
        expect(result.rows[0]!.logits ?? []).toEqual([]);
        expectSameBits(result.rows[1]!.logits!, every.slice(-1));
      });

      test("steps that are not waited for take effect in the order of the calls", async () => {
        const runtime = await shared();
        const expected = await feed(runtime, shared.open(), TOKENS.slice(0, 12), "decode", 1);
        const sequence = shared.open();
        const steps = TOKENS.slice(0, 12).map((id) =>
          runtime.step({ stage: "decode", rows: [row(sequence, [id], LAST)] }),
        );
        expectSameBits(
          (await Promise.all(steps)).flatMap((step) => step.rows[0]!.logits!),
          expected,
        );
      });

      test("decode steps between the parts of a prefill change no bit of it, and it none of theirs", async () => {
        const runtime = await shared();
        const [start, tail, long] = [TOKENS.slice(0, 40), TOKENS.slice(40, 56), TOKENS.slice(60, 160)];
        const expected = await feed(runtime, shared.open(), long, "prefill", PREFILL_ROWS);
        const alone = shared.open();
        await feed(runtime, alone, start, "prefill", 64);
        const expectedBetween = await feed(runtime, alone, tail, "decode", 1);
        shared.freeAll();

        const other = shared.open();
        await feed(runtime, other, start, "prefill", 64);
        const between: Float32Array[] = [];
        const run = async () => {
          const id = tail[between.length];
          if (id === undefined) return;
          const { rows } = await runtime.step(decode(other, [id]));
          between.push(...rows[0]!.logits!);
        };
        const prefill: StepBatch = { stage: "prefill", rows: [row(shared.open(), long, ALL)] };
        const result = await runtime.step(prefill, undefined, { patienceMs: 0, run });
        if (!tolerance.inOnePart) expect(between).not.toEqual([]);
        expectSameBits(between, expectedBetween.slice(0, between.length));
        expectSameBits(result.rows[0]!.logits!, expected);
      });
    });

    describe("keeps sequences apart", () => {
      const shared = useRuntime(makeRuntime, { contextLength: CONTEXT_LENGTH, maxSequences: 4 });

      test.each([1, 63, 64, 100])("a fork at %i tokens and its original go their own ways", async (length) => {
        const runtime = await shared();
        const [left, right] = [TOKENS.slice(100, 110), TOKENS.slice(150, 170)];
        const original = shared.open();
        await feed(runtime, original, TOKENS.slice(0, length), "prefill", 64);
        const fork = shared.own(await runtime.fork(original));
        const forked = await feed(runtime, fork, right, "decode", 4);
        const continued = await feed(runtime, original, left, "decode", 4);
        shared.freeAll();

        for (const [tail, got] of [
          [left, continued],
          [right, forked],
        ] as const) {
          const fresh = shared.open();
          await feed(runtime, fresh, TOKENS.slice(0, length), "prefill", 64);
          expectSameBits(got, await feed(runtime, fresh, tail, "decode", 4));
          shared.freeAll();
        }
      });

      test("a fork outlives its original", async () => {
        const runtime = await shared();
        const original = shared.open();
        await feed(runtime, original, TOKENS.slice(0, 70), "prefill", 64);
        const fork = shared.own(await runtime.fork(original));
        runtime.free(original);
        const other = shared.open();
        await feed(runtime, other, TOKENS.slice(90, 190), "prefill", 64);
        const got = await feed(runtime, fork, TOKENS.slice(70, 74), "decode", 1);
        shared.freeAll();
        const fresh = shared.open();
        await feed(runtime, fresh, TOKENS.slice(0, 70), "prefill", 64);
        expectSameBits(got, await feed(runtime, fresh, TOKENS.slice(70, 74), "decode", 1));
      });

      test.each([0, 5, 64, 99])(
        "a rewind to %i tokens, or to fewer, refed, equals a fresh sequence",
        async (length) => {
          const runtime = await shared();
          const sequence = shared.open();
          await feed(runtime, sequence, TOKENS.slice(0, 100), "prefill", 64);
          const kept = await runtime.rewind(sequence, length);
          expect(kept).toBeGreaterThanOrEqual(0);
          expect(kept).toBeLessThanOrEqual(length);
          const refed = TOKENS.slice(50, 130);
          await feed(runtime, sequence, TOKENS.slice(kept, length), "prefill", 64);
          const got = await feed(runtime, sequence, refed, "prefill", 64);
          const fresh = shared.open();
          await feed(runtime, fresh, TOKENS.slice(0, length), "prefill", 64);
          expectSameBits(got, await feed(runtime, fresh, refed, "prefill", 64));
        },
      );

      test("a rewind of a fork leaves the original as it was", async () => {
        const runtime = await shared();
        const original = shared.open();
        await feed(runtime, original, TOKENS.slice(0, 80), "prefill", 64);
        const fork = shared.own(await runtime.fork(original));
        await runtime.rewind(fork, 10);
        await feed(runtime, fork, TOKENS.slice(100, 180), "prefill", 64);
        const got = await feed(runtime, original, TOKENS.slice(80, 84), "decode", 1);
        shared.freeAll();
        const fresh = shared.open();
        await feed(runtime, fresh, TOKENS.slice(0, 80), "prefill", 64);
        expectSameBits(got, await feed(runtime, fresh, TOKENS.slice(80, 84), "decode", 1));
      });

      test("match answers with an open sequence and how much of the ids it holds", async () => {
        const runtime = await shared();
        const ids = TOKENS.slice(0, 20);
        const { sequence, length } = await runtime.match(ids, { isolation: "somebody", exact: true });
        shared.own(sequence);
        if (!runtime.info.capabilities.has("match")) expect(length).toBe(0);
        const got = await feed(runtime, sequence, ids.slice(length), "prefill", 64);
        const fresh = await feed(runtime, shared.open(), ids, "prefill", 64);
        expectSameBits(got.slice(-1), fresh.slice(-1));
      });

      test("what a match finds has the bits of what would have been computed, whoever computed it, and only for its key", async () => {
        const runtime = await shared();
        if (!runtime.info.capabilities.has("match")) return;
        const search = { isolation: "bits", exact: true };
        const ids = TOKENS.slice(0, 150);
        const { sequence: first } = await runtime.match(ids, search);
        const computed = await feed(runtime, first, ids, "prefill", 64);
        const again = await runtime.match(ids, search);
        expect(again.length).toBe(2 * runtime.info.pageLength);
        expectSameBits(
          await feed(runtime, again.sequence, ids.slice(again.length), "prefill", 64),
          computed.slice(again.length),
        );
        runtime.free(first);
        const later = await runtime.match(ids, search);
        expect(later.length).toBe(again.length);
        const other = await runtime.match(ids, { ...search, isolation: "other" });
        expect(other.length).toBe(0);
        for (const { sequence } of [again, later, other]) runtime.free(sequence);
      });

      test("what decode steps computed is found only by who can do with other bits", async () => {
        const runtime = await shared();
        if (!runtime.info.capabilities.has("match")) return;
        const ids = TOKENS.slice(0, 130);
        const { sequence } = await runtime.match(ids, { isolation: "decoded", exact: true });
        await feed(runtime, sequence, ids.slice(0, 60), "prefill", 64);
        await feed(runtime, sequence, ids.slice(60), "decode", 16);
        runtime.free(sequence);
        for (const [exact, expected] of [
          [true, 0],
          [false, 2],
        ] as const) {
          const found = await runtime.match(ids, { isolation: "decoded", exact });
          expect(found.length).toBe(expected * runtime.info.pageLength);
          runtime.free(found.sequence);
        }
      });

      test("sequences that were freed give all of their memory back", async () => {
        const runtime = await shared();
        for (let round = 0; round < 3; round++) {
          const sequences = [runtime.open(), runtime.open()];
          for (const sequence of sequences) await feed(runtime, sequence, TOKENS, "prefill", 64);
          sequences.push(await runtime.fork(sequences[0]!));
          for (const sequence of sequences) runtime.free(sequence);
        }
        expect(await feed(runtime, shared.open(), TOKENS.slice(0, 1), "decode", 1)).toHaveLength(1);
      });
    });

    describe("refuses with a typed error, and nothing has changed", () => {
      const shared = useRuntime(makeRuntime, { contextLength: CONTEXT_LENGTH, maxSequences: 3 });

      /** The batch is refused, and the sequence goes on as if it had never been asked. */
      async function expectRefusal(ask: (sequence: SequenceId) => StepBatch, code: ErrorCode, signal?: AbortSignal) {
        const runtime = await shared();
        const expected = await feed(runtime, shared.open(), TOKENS.slice(0, 6), "decode", 1);
        shared.freeAll();
        const sequence = shared.open();
        const before = await feed(runtime, sequence, TOKENS.slice(0, 3), "decode", 1);
        const error = await codeOf(() => runtime.step(ask(sequence), signal));
        const after = await feed(runtime, sequence, TOKENS.slice(3, 6), "decode", 1);
        expectSameBits([...before, ...after], expected);
        expect(error).toBe(code);
      }

      const wants: [RuntimeCapability, Partial<Row>][] = [
        ["sample", { want: "sample" }],
        ["verify", { want: "verify" }],
        ["logprobs", { want: { logprobs: 5, at: "last" } }],
        ["sampledBy", { input: { sampledBy: 1 as never } }],
        [
          "embeddings",
          { input: { embeddings: new Float32Array(192), contentHash: "x", positions: [3], attention: "causal" } },
        ],
      ];
      test.for(wants)("%s, where info does not list it", async ([capability, part], { skip }) => {
        if ((await shared()).info.capabilities.has(capability)) skip();
        await expectRefusal(
          (sequence) => ({ stage: "decode", rows: [{ ...row(sequence, [1], "none"), ...part }] }),
          "unsupported_parameter",
        );
      });

      test("a step whose signal has fired", () =>
        expectRefusal((sequence) => decode(sequence, [1]), "aborted", AbortSignal.abort()));

      test("a token outside of the vocabulary", async () => {
        await expectRefusal((sequence) => decode(sequence, [VOCAB_SIZE]), "invalid_request");
        await expectRefusal((sequence) => decode(sequence, [-1]), "invalid_request");
      });

      test("more rows than a step of the stage takes", async () => {
        const { maxRows } = (await shared()).info;
        const ids = Array.from({ length: maxRows.decode + 1 }, () => 1);
        await expectRefusal((sequence) => decode(sequence, ids), "budget_exceeded");
      });

      test("a token past the context, with both numbers", async () => {
        const runtime = await shared();
        const sequence = shared.open();
        const ids = Array.from({ length: CONTEXT_LENGTH }, (_, i) => TOKENS[i % TOKENS.length]!);
        await feed(runtime, sequence, ids, "prefill", runtime.info.maxRows.prefill);
        await expect(runtime.step(decode(sequence, [1, 2]))).rejects.toMatchObject({
          code: "context_length_exceeded",
          details: { contextLength: CONTEXT_LENGTH, promptTokens: CONTEXT_LENGTH + 2 },
        });
        expect(await runtime.rewind(sequence, CONTEXT_LENGTH)).toBe(CONTEXT_LENGTH);
      });

      test("a sequence beyond maxSequences, until one is freed", async () => {
        const runtime = await shared();
        const sequences = Array.from({ length: runtime.info.maxSequences }, () => shared.open());
        expect(await codeOf(async () => runtime.open())).toBe("out_of_memory");
        expect(await codeOf(() => runtime.fork(sequences[0]!))).toBe("out_of_memory");
        runtime.free(sequences[0]!);
        expect(await codeOf(async () => shared.open())).toBeUndefined();
      });

      test("more KV memory than there is, until a sequence is freed", async () => {
        const runtime = await shared();
        const [first, second, third] = [shared.open(), shared.open(), shared.open()];
        for (const sequence of [first, second]) await feed(runtime, sequence, TOKENS, "prefill", 64);
        expect(await codeOf(() => feed(runtime, third, TOKENS, "prefill", 64))).toBe("out_of_memory");
        runtime.free(first);
        const got = await feed(runtime, third, TOKENS, "prefill", 64);
        expect(got).toHaveLength(TOKENS.length);
      });
    });

    describeSampling(makeRuntime);
    describeInFlight(makeRuntime);

    test("says what it is", async () => {
      const runtime = await makeRuntime(tinyModel(PLAIN_MODEL), { contextLength: 128, maxSequences: 2 });
      const { info } = runtime;
      expect(info).toMatchObject({ vocabSize: VOCAB_SIZE, contextLength: 128, maxSequences: 2 });
      expect(info.maxRows.decode).toBeGreaterThanOrEqual(1);
      expect(info.maxRows.prefill).toBeGreaterThanOrEqual(1);
      expect(info.capabilities.has("logits")).toBe(true);
      const samples = (["sample", "verify"] as const).every((capability) => info.capabilities.has(capability));
      expect(info.samplingSteps.length === 0 || samples).toBe(true);
      expect(Object.keys(info.fingerprint)).not.toEqual([]);
      runtime.dispose();
    });

    test("after dispose every call is refused, and a second dispose is nothing", async () => {
      const runtime = await makeRuntime(tinyModel(PLAIN_MODEL), { contextLength: 64 });
      const sequence = runtime.open();
      await feed(runtime, sequence, TOKENS.slice(0, 3), "prefill", 3);
      runtime.dispose();
      runtime.dispose();
      runtime.free(sequence);
      expect(await codeOf(async () => runtime.open())).toBe("disposed");
      expect(await codeOf(() => runtime.step(decode(sequence, [1])))).toBe("disposed");
      expect(await codeOf(() => runtime.fork(sequence))).toBe("disposed");
      expect(await codeOf(() => runtime.rewind(sequence, 0))).toBe("disposed");
      expect(await codeOf(() => runtime.match([1], { isolation: "", exact: true }))).toBe("disposed");
    });
  });
}

/** The part of the suite that compares with exact arithmetic, each model fed as prefill rows and as decode steps. */
export function describeExactness(name: string, makeRuntime: MakeRuntime, tolerance: Tolerance): void {
  describe(name, () => {
    test("on the tokens that the goldens were made of", () => {
      expect(goldens.tokens).toEqual(TOKENS);
      expect(goldens.positions).toEqual(GOLDEN_POSITIONS);
      expect(Object.keys(goldens.logprobs)).toEqual(MODELS.map((model) => model.name));
    });

    test.each(MODELS)("$name", async ({ name: model, options }) => {
      const runtime = await makeRuntime(tinyModel(options), { contextLength: CONTEXT_LENGTH });
      try {
        const prefilled = await feed(runtime, runtime.open(), TOKENS, "prefill", runtime.info.maxRows.prefill);
        const decoded = await feed(runtime, runtime.open(), TOKENS, "decode", 1);
        const golden = goldens.logprobs[model]!;
        const worst = (rows: readonly Float32Array[]) =>
          Math.max(...GOLDEN_POSITIONS.map((position, index) => distance(rows[position]!, golden[index]!)));
        expect(worst(prefilled)).toBeLessThan(tolerance.maxAbs);
        expect(worst(decoded)).toBeLessThan(tolerance.maxAbs);
      } finally {
        runtime.dispose();
      }
    });
  });
}

export interface SharedRuntime {
  (): Promise<Runtime>;
  /** A sequence that is freed after the test. */
  open(): SequenceId;
  own(sequence: SequenceId): SequenceId;
  freeAll(): void;
}

/** One runtime with the plain model for all tests of a describe. */
export function useRuntime(makeRuntime: MakeRuntime, options: ConformanceOptions): SharedRuntime {
  let promise: Promise<Runtime> | undefined;
  let runtime: Runtime;
  const owned = new Set<SequenceId>();
  const own = (sequence: SequenceId) => {
    owned.add(sequence);
    return sequence;
  };
  const freeAll = () => {
    for (const sequence of owned) runtime.free(sequence);
    owned.clear();
  };
  afterEach(freeAll);
  afterAll(async () => (await promise)?.dispose());
  const get = async () => {
    promise ??= makeRuntime(tinyModel(PLAIN_MODEL), options);
    runtime = await promise;
    return runtime;
  };
  return Object.assign(get, { own, freeAll, open: () => own(runtime.open()) });
}

function row(sequence: SequenceId, ids: readonly number[], want: RowWant): Row {
  return { sequence, input: { ids }, want };
}

function decode(sequence: SequenceId, ids: readonly number[]): StepBatch {
  return { stage: "decode", rows: [row(sequence, ids, LAST)] };
}

/** Feeds the ids in steps of `segment`; logits of every position. */
export async function feed(
  runtime: Runtime,
  sequence: SequenceId,
  ids: readonly number[],
  stage: "prefill" | "decode",
  segment: number,
): Promise<Float32Array[]> {
  const logits: Float32Array[] = [];
  for (let start = 0; start < ids.length; start += segment) {
    const part = ids.slice(start, start + segment);
    const result = await runtime.step({ stage, rows: [row(sequence, part, ALL)] });
    logits.push(...result.rows[0]!.logits!);
  }
  return logits;
}

function expectSameBits(actual: readonly Float32Array[], expected: readonly Float32Array[]): void {
  const bits = (rows: readonly Float32Array[]) =>
    rows.map((values) => Array.from(new Uint32Array(values.slice().buffer)).join());
  expect(actual.length).toBeGreaterThan(0);
  expect(bits(actual)).toEqual(bits(expected));
}

/** Largest |log-softmax - golden|. */
function distance(logits: Float32Array, golden: readonly number[]): number {
  const peak = logits.reduce((a, b) => Math.max(a, b));
  const logSum = peak + Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - peak), 0));
  return golden.reduce((worst, logprob, token) => Math.max(worst, Math.abs(logits[token]! - logSum - logprob)), 0);
}

/** The code of the error that the call ends with; undefined when it succeeds, or throws anything else. */
async function codeOf(call: () => Promise<unknown>): Promise<ErrorCode | undefined> {
  try {
    await call();
    return undefined;
  } catch (error) {
    return (error as { code?: ErrorCode }).code;
  }
}
