// StepBatch -> the arrays that kernels read.
import { expect, test } from "vitest";
import { createKvPages } from "../../src/runtime/kv-pages.ts";
import type { Row, RowWant, RuntimeInfo, SequenceId } from "../../src/runtime/runtime.ts";
import { dealRows, planStep } from "../../src/runtime/step-plan.ts";

const info: RuntimeInfo = {
  vocabSize: 100,
  contextLength: 256,
  maxSequences: 8,
  pageLength: 64,
  maxRows: { prefill: 256, decode: 16 },
  draftRows: 16,
  stepsInFlight: 1,
  samplingSteps: [],
  capabilities: new Set(["logits"]),
  fingerprint: {},
};
const setUp = () => createKvPages({ pageCount: 8, maxSequences: 8, pageBytes: 1 });
const row = (sequence: number, ids: readonly number[], want: RowWant): Row => ({
  sequence: sequence as SequenceId,
  input: { ids },
  want,
});

test("rows carry token, position and the offset of their page table", () => {
  const kv = setUp();
  const [first, second] = [kv.open(), kv.open()];
  kv.append([{ sequence: first, ids: new Int32Array(63), made: "prefill" }]);
  const rows = [row(first, [7, 8], "none"), row(second, [9], { logits: true, at: "last" })];
  const plan = planStep({ stage: "decode", rows }, kv, info);
  expect(plan.rowCount).toBe(3);
  expect(Array.from(plan.rows)).toEqual([7, 63, 0, 0, 8, 64, 0, 0, 9, 0, 2, 0]);
  expect(Array.from(plan.pages)).toEqual([...kv.table(first), ...kv.table(second)]);
  expect(kv.length(first)).toBe(65);
});

test("wanted rows are dealt back to the rows of the batch", () => {
  const kv = setUp();
  const [a, b, c] = [kv.open(), kv.open(), kv.open()];
  const rows = [
    row(a, [1, 2, 3], { logits: true, at: "all" }),
    row(b, [4, 5], "none"),
    row(c, [6, 7], { logits: true, at: "last" }),
  ];
  const plan = planStep({ stage: "prefill", rows }, kv, info);
  expect(Array.from(plan.wanted)).toEqual([0, 1, 2, 6]);
  const logits = Array.from(plan.wanted, (index) => Float32Array.of(index));
  expect(dealRows(plan, logits)).toEqual([{ logits: logits.slice(0, 3) }, {}, { logits: logits.slice(3) }]);
});

test("the copies that a write into shared pages needs come with the plan", () => {
  const kv = setUp();
  const original = kv.open();
  kv.append([{ sequence: original, ids: new Int32Array(10), made: "prefill" }]);
  const fork = kv.fork(original);
  const plan = planStep({ stage: "decode", rows: [row(fork, [1], "none")] }, kv, info);
  expect(plan.copies).toEqual([{ from: kv.table(original)[0], to: kv.table(fork)[0] }]);
  expect(Array.from(plan.pages)).toEqual(kv.table(fork));
});

test("a batch with one bad row changes no sequence", () => {
  const kv = setUp();
  const [good, bad] = [kv.open(), kv.open()];
  const rows = [row(good, [1, 2], "none"), row(bad, [100], "none")];
  expect(() => planStep({ stage: "decode", rows }, kv, info)).toThrow(/Token 100 .* vocabulary of 100/);
  expect([kv.length(good), kv.length(bad), kv.freePages]).toEqual([0, 0, 8]);
});
