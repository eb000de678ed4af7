// rms-norm, rope-kv and gated-activation against float64 on every adapter.
import { expect, test } from "vitest";
import { invariant } from "../../src/base/invariant.ts";
import type { Device } from "../../src/gpu/device.ts";
import { ACTIVATIONS, gatedActivation, gatedActivationReference } from "../../src/kernels/gated-activation.ts";
import { KV_FORMATS } from "../../src/kernels/kv-format.ts";
import { PAGE_LENGTH } from "../../src/kernels/kv-layout.ts";
import { rmsNorm, rmsNormReference } from "../../src/kernels/rms-norm.ts";
import { type RopeKvReferenceOptions, ropeKv, ropeKvReference } from "../../src/kernels/rope-kv.ts";
import { buildRopeTable } from "../../src/kernels/rope-table.ts";
import { describeAdapters } from "./adapters.ts";
import { packKv } from "./pack-kv.ts";
import { gaussians, nmse, runKernel, unpackHalves } from "./run-kernel.ts";

const BOUND = 1e-11; // f32 arithmetic on a few hundred terms

describeAdapters("row kernels", ({ device }) => {
  test("rms-norm, odd widths and large values", async () => {
    for (const [rows, width, scale] of [
      [1, 1, 1],
      [3, 5, 1],
      [2, 63, 1e-4],
      [1, 64, 1e4],
      [5, 65, 1],
      [2, 576, 1],
      [257, 8, 1],
      [1, 4097, 30],
    ] as const) {
      const input = gaussians(rows * width, width, scale);
      const weight = gaussians(width, 3);
      const { output } = await runKernel(await device(), rmsNorm, {
        data: { input, weight, output: new Float32Array(rows * width) },
        params: { width, epsilon: 1e-5 },
        overrides: {},
        size: { rows },
      });
      expect(nmse(output, rmsNormReference(input, weight, 1e-5)), `${rows} x ${width}`).toBeLessThan(BOUND);
    }
  });

  for (const activation of ACTIVATIONS) {
    test(`gated-activation, ${activation}, also far from 0`, async () => {
      for (const [rows, width] of [
        [1, 1],
        [3, 63],
        [2, 65],
        [2, 1537],
      ] as const) {
        const input = gaussians(rows * 2 * width, width, 4);
        [-1000, 1000, -89, 0, 20, -20].forEach((value, index) => {
          input[index % (2 * width)] = value;
        });
        const { output } = await runKernel(await device(), gatedActivation, {
          data: { input, output: new Float32Array(rows * width) },
          params: { width },
          overrides: { ACTIVATION: ACTIVATIONS.indexOf(activation) },
          size: { rows },
        });
        const expected = gatedActivationReference(input, width, activation);
        expect(nmse(output, expected), `${rows} x ${width}`).toBeLessThan(BOUND);
      }
    });
  }

  interface RopeCase {
    headCount: number;
    kvHeadCount: number;
    headDim: number;
    ropeDim: number;
    layout: "interleaved" | "halves";
    norms?: "query" | "key" | "both";
    /** Elements in front of, between and behind the parts of a row. */
    gap?: number;
    scale?: number;
  }
  const ROPE_CASES: RopeCase[] = [
    { headCount: 9, kvHeadCount: 3, headDim: 64, ropeDim: 64, layout: "interleaved" },
    { headCount: 3, kvHeadCount: 3, headDim: 32, ropeDim: 32, layout: "halves" },
    { headCount: 8, kvHeadCount: 1, headDim: 80, ropeDim: 32, layout: "halves", norms: "both", gap: 3 },
    { headCount: 2, kvHeadCount: 2, headDim: 128, ropeDim: 18, layout: "halves", norms: "query" },
    { headCount: 2, kvHeadCount: 1, headDim: 128, ropeDim: 96, layout: "interleaved", norms: "key", gap: 5 },
    { headCount: 2, kvHeadCount: 1, headDim: 256, ropeDim: 256, layout: "halves", norms: "both" },
    { headCount: 2, kvHeadCount: 1, headDim: 32, ropeDim: 32, layout: "interleaved", scale: 1e5 },
  ];
  for (const given of ROPE_CASES) {
    test(`rope-kv, ${JSON.stringify(given)}`, async () => {
      const { headCount, kvHeadCount, headDim, ropeDim, layout, norms, gap = 0, scale = 1 } = given;
      const keyOffset = gap + headCount * headDim + gap;
      const valueOffset = keyOffset + kvHeadCount * headDim + gap;
      const rowStride = valueOffset + kvHeadCount * headDim + gap;
      // Two sequences, over page borders, in pages out of order; page 2 belongs to nobody.
      const rows = Uint32Array.from([0, 62, 63, 64, 65, 127].flatMap((at) => [9, at, 0, 0]).concat([9, 1, 2, 0]));
      const pages = Uint32Array.of(3, 0, 1);
      const kvLength = 4 * 2 * kvHeadCount * PAGE_LENGTH * headDim;
      const positions = 128;
      const options: RopeKvReferenceOptions = {
        headCount,
        kvHeadCount,
        headDim,
        qkv: gaussians((rows.length / 4) * rowStride, 17, scale),
        rowStride,
        queryOffset: gap,
        keyOffset,
        valueOffset,
        ...((norms === "query" || norms === "both") && { queryNorm: gaussians(headDim, 5) }),
        ...((norms === "key" || norms === "both") && { keyNorm: gaussians(headDim, 6) }),
        epsilon: 1e-6,
        queryScale: 1 / Math.sqrt(headDim),
        layout,
        ropeDim,
        table: buildRopeTable({ base: 10_000, dimension: ropeDim, scaling: { kind: "none" } }, positions),
        rows,
        pages,
      };
      const before = new Uint32Array(kvLength / 2).fill(0x3c00_4000); // 2 and 1: what was there and must stay
      const result = await runRopeKv(await device(), options, before);
      const expected = new Float32Array(kvLength);
      for (let index = 0; index < kvLength; index += 2) expected.set([2, 1], index);
      const queries = ropeKvReference(options, expected);
      expect(nmse(result.queries, queries)).toBeLessThan(BOUND);
      const actual = unpackHalves(new Uint32Array(result.kv.buffer, 0, kvLength / 2));
      // Halves differ where f32 and f64 round to different neighbours: by one unit in the last place, seldom.
      const differing = [...expected.keys()].filter((index) => actual[index] !== expected[index]);
      expect(differing.length).toBeLessThan(kvLength / 1000);
      for (const index of differing) {
        expect(Math.abs(actual[index]! - expected[index]!)).toBeLessThanOrEqual(
          Math.abs(expected[index]!) * 2 ** -9 + 1e-6,
        );
      }
    });
  }

  test.each([32, 64, 80, 96, 128, 256])("rope-kv keeps heads of %i in q8_0, byte for byte", async (headDim) => {
    const [headCount, kvHeadCount] = [2, 2];
    const rows = Uint32Array.from([0, 62, 63, 64, 65, 127].flatMap((at) => [9, at, 0, 0]).concat([9, 1, 2, 0]));
    const rowStride = (headCount + 2 * kvHeadCount) * headDim;
    const kvLength = 4 * 2 * kvHeadCount * PAGE_LENGTH * headDim;
    const qkv = gaussians((rows.length / 4) * rowStride, headDim);
    const scales = [1, 1e-3, 300, 0, 1e5, 1, 30];
    qkv.forEach((value, index) => {
      qkv[index] = value * scales[Math.floor(index / rowStride)]!;
    });
    const keyOffset = headCount * headDim;
    const lastValue = qkv.length - headDim;
    qkv[5 * rowStride + keyOffset + 3] = Number.NaN;
    qkv[5 * rowStride + keyOffset + headDim + 3] = Number.POSITIVE_INFINITY;
    // Multiples of a half step, where the next number's scale is exactly 1: halves go upwards.
    qkv.set([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 127], lastValue);
    for (let d = 7; d < 32; d++) qkv[lastValue + d] = d % 2 === 0 ? d + 0.5 : -d - 0.5;
    const options: RopeKvReferenceOptions = {
      headCount,
      kvHeadCount,
      headDim,
      qkv,
      rowStride,
      queryOffset: 0,
      keyOffset,
      valueOffset: keyOffset + kvHeadCount * headDim,
      epsilon: 1e-6,
      queryScale: 1,
      layout: "halves",
      ropeDim: headDim,
      table: Float32Array.from({ length: 128 * headDim }, (_, index) => 1 - (index % 2)), // no turn: nothing is rounded before
      rows,
      pages: Uint32Array.of(3, 0, 1),
      kvFormat: "q8_0",
    };
    const numbers = new Float32Array(kvLength).fill(2);
    const { kv } = await runRopeKv(await device(), options, packKv("q8_0", numbers, headDim));
    ropeKvReference(options, numbers);
    const expected = packKv("q8_0", numbers, headDim);
    expect(new Uint32Array(kv.buffer, 0, expected.length)).toEqual(expected);
  });
});

/** `kv` holds `before`, in the options' format. */
function runRopeKv(device: Device, options: RopeKvReferenceOptions, before: Uint32Array) {
  const { headCount, kvHeadCount, headDim, qkv, table, rows, pages, kvFormat = "f16" } = options;
  const { rowStride, queryOffset, keyOffset, valueOffset, queryScale, epsilon } = options;
  invariant(kvFormat !== "f32", "no kernel keeps f32");
  return runKernel(device, ropeKv, {
    data: {
      qkv,
      queryNorm: options.queryNorm ?? table,
      keyNorm: options.keyNorm ?? table,
      table,
      rows,
      pages,
      queries: new Float32Array((rows.length / 4) * headCount * headDim),
      kv: before,
    },
    params: { rowStride, queryOffset, keyOffset, valueOffset, headCount, kvHeadCount, queryScale, epsilon },
    overrides: {
      HEAD_DIM: headDim,
      ROPE_DIM: options.ropeDim,
      HALVES: options.layout === "halves",
      HAS_QUERY_NORM: options.queryNorm !== undefined,
      HAS_KEY_NORM: options.keyNorm !== undefined,
    },
    size: { rows: rows.length / 4 },
    prelude: KV_FORMATS[kvFormat].write,
  });
}
