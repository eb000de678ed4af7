// The attention kernels against float64 on every adapter: forms of keys and values, head sizes, grouped heads, lengths around
// tiles and chunks, windows, several sequences, and rows that do not depend on their neighbours.
import { expect, test } from "vitest";
import type { Device } from "../../src/gpu/device.ts";
import { attentionDecode, attentionDecodeBroadcastFor, partialsLength } from "../../src/kernels/attention-decode.ts";
import { attentionPrefill, attentionPrefillFor } from "../../src/kernels/attention-prefill.ts";
import { attentionReduce, attentionReduceReference } from "../../src/kernels/attention-reduce.ts";
import { attentionReference } from "../../src/kernels/attention-reference.ts";
import { KV_CACHE_TYPES, KV_FORMATS } from "../../src/kernels/kv-format.ts";
import { describeAdapters, type TestAdapter } from "./adapters.ts";
import type { AttentionCase, AttentionShape } from "./attention-case.ts";
import { attentionCase } from "./attention-case.ts";
import { packKv } from "./pack-kv.ts";
import { gaussians, nmse, runKernel } from "./run-kernel.ts";

const BOUND = 1e-9; // f32 sums of values that are exact; the op suite's limit of 1e-6 would hide a wrong key among a thousand
const UNTOUCHED = -12345;

/** The adapter's own, and the portable one: where that is another, of one size on adapters whose compilers take seconds for each. */
function prefillKernels(
  { adapter }: Device,
  { compilesSlowly }: TestAdapter,
  headDim: number,
): Iterable<typeof attentionPrefill> {
  const own = attentionPrefillFor(adapter);
  return new Set([...(compilesSlowly && headDim !== 64 ? [] : [attentionPrefill]), own]);
}

type DecodeKernel = "of 64 threads" | "of 128 threads" | "broadcast";

/** The same of decode, for so many query heads of one KV head. */
function decodeKernels(
  { adapter }: Device,
  { compilesSlowly }: TestAdapter,
  { headCount, kvHeadCount, headDim }: (typeof HEADS)[number],
): DecodeKernel[] {
  const own = attentionDecodeBroadcastFor(adapter, { headDim, group: headCount / kvHeadCount });
  const portable: DecodeKernel[] = own && compilesSlowly && headDim !== 64 ? [] : ["of 64 threads"];
  // Of those for GPUs one size on CPU adapters, whose compilers take seconds for each.
  const wide: DecodeKernel[] = !adapter.isFallback || headDim === 64 ? ["of 128 threads"] : [];
  return [...portable, ...wide, ...(own ? (["broadcast"] as const) : [])];
}

async function runPrefill(
  device: Device,
  given: AttentionCase,
  kernel: typeof attentionPrefill,
): Promise<Float32Array> {
  const { headCount, kvHeadCount, headDim, queries, rows, pages, window, softCap } = given;
  const rowCount = rows.length / 4;
  const { output } = await runKernel(device, kernel, {
    data: {
      step: Uint32Array.of(rowCount, 0, 0, 0),
      queries,
      kv: packKv(given.kvCache, given.kv, headDim),
      rows,
      pages,
      output: new Float32Array(queries.length).fill(UNTOUCHED),
    },
    params: { headCount, kvHeadCount, window, softCap },
    overrides: { HEAD_DIM: headDim },
    size: { rows: rowCount },
    prelude: KV_FORMATS[given.kvCache].readBy4,
  });
  return output;
}

async function runDecode(
  device: Device,
  given: AttentionCase,
  maxChunks: number,
  variant: DecodeKernel,
): Promise<{ partials: Float32Array; output: Float32Array }> {
  const { headCount, kvHeadCount, headDim, queries, rows, pages, window, softCap } = given;
  const rowCount = rows.length / 4;
  const longest = Math.max(...Array.from({ length: rowCount }, (_, row) => rows[row * 4 + 1]! + 1));
  const size = { rows: rowCount, longest };
  const run = {
    data: {
      queries,
      kv: packKv(given.kvCache, given.kv, headDim),
      rows,
      pages,
      partials: new Float32Array(partialsLength(rowCount, headCount, headDim, maxChunks)).fill(UNTOUCHED),
      output: new Float32Array(queries.length).fill(UNTOUCHED),
    },
    params: { headCount, kvHeadCount, window, softCap, maxChunks },
    size,
  };
  const overrides = { HEAD_DIM: headDim };
  const { readBy4, readBy8 } = KV_FORMATS[given.kvCache];
  const own = attentionDecodeBroadcastFor(device.adapter, { headDim, group: headCount / kvHeadCount });
  const { partials, output: begun } =
    variant !== "broadcast"
      ? await runKernel(device, attentionDecode, {
          ...run,
          overrides: { ...overrides, THREADS: variant === "of 64 threads" ? 64 : 128 },
          prelude: readBy8,
        })
      : await runKernel(device, own!.kernel, {
          ...run,
          overrides: { ...overrides, OCTET: own!.octet },
          prelude: readBy4,
        });
  const { output } = await runKernel(device, attentionReduce, {
    data: { partials, rows, output: begun },
    params: { headCount, window, maxChunks },
    overrides: { HEAD_DIM: headDim },
    size,
  });
  return { partials, output };
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index);

const HEADS: Omit<AttentionShape, "positions">[] = [
  { headCount: 3, kvHeadCount: 3, headDim: 32 },
  { headCount: 9, kvHeadCount: 3, headDim: 64 },
  { headCount: 8, kvHeadCount: 1, headDim: 80 },
  { headCount: 5, kvHeadCount: 1, headDim: 96 },
  { headCount: 3, kvHeadCount: 1, headDim: 128 },
  { headCount: 2, kvHeadCount: 1, headDim: 256 },
];
const DECODE_POSITIONS = [[[0]], [[62], [63], [64]], [[256], [255], [0]], [[999], [64, 65, 66]]];
const PREFILL_POSITIONS = [
  [[0]],
  [range(0, 63)],
  [range(0, 65)],
  [range(192, 257)],
  [range(0, 5), range(100, 121), [999], range(0, 17)],
];
const VARIANTS: Partial<AttentionShape>[] = [
  { window: 1 },
  { window: 64 },
  { window: 300 },
  { window: 300, kvCache: "q8_0" },
  { softCap: 1.5 },
];

describeAdapters("attention", (adapter) => {
  const { device } = adapter;
  for (const kvCache of KV_CACHE_TYPES) {
    for (const heads of HEADS) {
      const name = `${heads.headCount}/${heads.kvHeadCount} heads of ${heads.headDim}, ${kvCache}`;

      test(`decode, ${name}`, async () => {
        for (const positions of DECODE_POSITIONS) {
          const given = attentionCase({ ...heads, kvCache, positions });
          const expected = attentionReference(given);
          for (const kernel of decodeKernels(await device(), adapter, heads)) {
            const { output } = await runDecode(await device(), given, 5, kernel);
            expect(nmse(output, expected), `${kernel} ${JSON.stringify(positions)}`).toBeLessThan(BOUND);
          }
        }
      });

      test(`prefill, ${name}`, async () => {
        for (const positions of PREFILL_POSITIONS) {
          const given = attentionCase({ ...heads, kvCache, positions });
          const expected = attentionReference(given);
          for (const kernel of prefillKernels(await device(), adapter, heads.headDim)) {
            const output = await runPrefill(await device(), given, kernel);
            expect(nmse(output, expected), `${kernel.name} ${JSON.stringify(positions)}`).toBeLessThan(BOUND);
          }
        }
      });
    }
  }

  for (const variant of VARIANTS) {
    test(`window and soft cap, ${JSON.stringify(variant)}`, async () => {
      const shape = { headCount: 6, kvHeadCount: 2, headDim: 64, ...variant };
      const decoding = attentionCase({ ...shape, positions: [[700], [0], [299, 300, 301]] });
      for (const kernel of decodeKernels(await device(), adapter, shape)) {
        const { output } = await runDecode(await device(), decoding, 3, kernel);
        expect(nmse(output, attentionReference(decoding)), kernel).toBeLessThan(BOUND);
      }
      const filling = attentionCase({ ...shape, positions: [range(280, 330), range(0, 3)] });
      for (const kernel of prefillKernels(await device(), adapter, shape.headDim)) {
        const filled = await runPrefill(await device(), filling, kernel);
        expect(nmse(filled, attentionReference(filling)), kernel.name).toBeLessThan(BOUND);
      }
    });
  }

  test("decode leaves the chunks beyond a row, and those before its window, alone", async () => {
    const heads = { headCount: 3, kvHeadCount: 1, headDim: 32 };
    const given = attentionCase({ ...heads, positions: [[600], [3]], window: 200 });
    const maxChunks = 4;
    const chunk = 32 + 4;
    for (const kernel of decodeKernels(await device(), adapter, heads)) {
      const { partials } = await runDecode(await device(), given, maxChunks, kernel);
      const written = range(0, 2 * 3 * maxChunks).filter((index) => partials[index * chunk] !== UNTOUCHED);
      // Row 0 sees keys 401 to 600, in chunks 1 and 2 of each head; row 1 sees chunk 0 alone, and needs no partials.
      expect(written, kernel).toEqual([1, 2, 5, 6, 9, 10]);
      const untouched = partials.filter((_, index) => !written.includes(Math.floor(index / chunk)));
      expect(untouched.every((value) => value === UNTOUCHED)).toBe(true);
    }
  });

  test("reduce merges like its reference, whatever lies in unused chunks, and leaves rows of one chunk alone", async () => {
    const [headCount, headDim, maxChunks] = [3, 80, 6];
    const rows = Uint32Array.of(0, 1100, 0, 0, 0, 255, 0, 0, 0, 256, 0, 0);
    const width = headCount * headDim;
    const partials = gaussians(partialsLength(3, headCount, headDim, maxChunks), 5);
    for (let at = 0; at < partials.length; at += headDim + 4) {
      partials[at]! *= 20;
      partials[at + 1] = 1 + Math.abs(partials[at + 1]!);
    }
    const { output } = await runKernel(await device(), attentionReduce, {
      data: { partials, rows, output: new Float32Array(3 * width).fill(UNTOUCHED) },
      params: { headCount, window: 0, maxChunks },
      overrides: { HEAD_DIM: headDim },
      size: { rows: 3, longest: 1101 },
    });
    const expected = attentionReduceReference({ partials, rows, headCount, headDim, window: 0, maxChunks });
    const but = (values: Float32Array) => Float32Array.of(...values.slice(0, width), ...values.slice(2 * width));
    expect(nmse(but(output), but(expected))).toBeLessThan(1e-11);
    expect(output.slice(width, 2 * width)).toEqual(new Float32Array(width).fill(UNTOUCHED));
  });

  test("prefill gives a row the same bits among 1, 7, 64 and 256 rows", async () => {
    for (const variant of [{}, { window: 100 }, { kvCache: "q8_0" }] as const) {
      const shape = { headCount: 3, kvHeadCount: 1, headDim: 64, ...variant };
      const all = attentionCase({ ...shape, positions: [range(70, 326)] });
      const width = shape.headCount * shape.headDim;
      for (const kernel of prefillKernels(await device(), adapter, shape.headDim)) {
        const together = await runPrefill(await device(), all, kernel);
        for (const [from, rows] of [
          [0, 1],
          [93, 1],
          [255, 1],
          [37, 7],
          [190, 64],
        ] as const) {
          const part = {
            ...all,
            queries: all.queries.slice(from * width, (from + rows) * width),
            rows: all.rows.slice(from * 4, (from + rows) * 4),
          };
          const alone = await runPrefill(await device(), part, kernel);
          const expected = together.slice(from * width, (from + rows) * width);
          expect(alone, `${kernel.name}, rows ${from} to ${from + rows}`).toEqual(expected);
        }
      }
    }
  });

  test("prefill gives a row the same bits beside another sequence", async () => {
    for (const kvCache of KV_CACHE_TYPES) {
      const shape = { headCount: 3, kvHeadCount: 1, headDim: 80, kvCache };
      const both = attentionCase({ ...shape, positions: [range(60, 70), range(500, 520)] });
      const width = shape.headCount * shape.headDim;
      const second = { ...both, queries: both.queries.slice(10 * width), rows: both.rows.slice(40) };
      for (const kernel of prefillKernels(await device(), adapter, shape.headDim)) {
        const together = await runPrefill(await device(), both, kernel);
        const alone = await runPrefill(await device(), second, kernel);
        expect(alone, `${kernel.name}, ${kvCache}`).toEqual(together.slice(10 * width));
      }
    }
  });

  test("decode gives a row the same bits among 16 rows as alone", async () => {
    for (const kvCache of KV_CACHE_TYPES) {
      const shape = { headCount: 8, kvHeadCount: 2, headDim: 64, kvCache };
      const all = attentionCase({ ...shape, positions: [range(250, 262), [700], [3], [511], [512]] });
      const width = shape.headCount * shape.headDim;
      for (const kernel of decodeKernels(await device(), adapter, shape)) {
        const { output } = await runDecode(await device(), all, 4, kernel);
        for (const row of [0, 7, 12, 13, 15]) {
          const alone = {
            ...all,
            queries: all.queries.slice(row * width, (row + 1) * width),
            rows: all.rows.slice(row * 4, (row + 1) * 4),
          };
          const result = await runDecode(await device(), alone, 9, kernel);
          const name = `${kernel}, row ${row}, ${kvCache}`;
          expect(result.output, name).toEqual(output.slice(row * width, (row + 1) * width));
        }
      }
    }
  });
});
