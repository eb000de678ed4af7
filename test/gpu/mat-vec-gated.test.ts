// mat-vec-gated against float64: every format, every activation, extreme gates, rows beside others.
import { expect, test } from "vitest";
import type { Device } from "../../src/gpu/device.ts";
import { MAX_WORKGROUPS, prepare } from "../../src/gpu/kernel.ts";
import { ACTIVATIONS, type ActivationName } from "../../src/kernels/gated-activation.ts";
import type { MatVecRows } from "../../src/kernels/mat-vec.ts";
import { matVecGated, matVecGatedReference } from "../../src/kernels/mat-vec-gated.ts";
import { columnsInSum, normInputReference } from "../../src/kernels/mat-vec-residual.ts";
import { type MatVecVariant, matVecBuild } from "../../src/kernels/mat-vec-variant.ts";
import { rmsNormReference } from "../../src/kernels/rms-norm.ts";
import { F32 } from "../../src/quant/f32.ts";
import type { QuantFormat } from "../../src/quant/format.ts";
import { SUPPORTED_FORMATS } from "../../src/quant/formats.ts";
import { Q4_1 } from "../../src/quant/q4_1.ts";
import { seedsFor } from "../../src/runtime/tuning/seeds.ts";
import { randomFloats } from "../quant/random-weights.ts";
import { describeAdapters } from "./adapters.ts";
import {
  COMPACT_VARIANTS,
  guardedOutput,
  MAX_NMSE,
  matVecVariantsOn,
  maxNmse,
  nmse,
  randomMatrix,
  requireArithmetic,
  roundedFor,
  runOnce,
  sparsePlanes,
  type TestMatrix,
  tilesAroundFold,
  upload,
  uploadStep,
} from "./weight-kernels.ts";

interface Run {
  format: QuantFormat;
  columns: number;
  width: number;
  planes: TestMatrix["planes"];
  input: Float32Array;
  activation?: ActivationName;
  /** See mat-vec.test.ts. */
  norm?: { squares: Float32Array; epsilon: number };
  variant?: MatVecVariant;
  together?: MatVecRows;
}

async function run(device: Device, options: Run): Promise<Float32Array> {
  const { format, columns, width, planes, activation = "silu", norm, together = 1 } = options;
  const variant = options.variant ?? seedsFor(device.adapter, { format, rows: 2 * width }).matVec;
  const build = matVecBuild(format, variant, together);
  const input = await upload(device, options.input);
  const rows = options.input.length / columns;
  const output = await guardedOutput(device, rows * width);
  const operation = await prepare(device, matVecGated, {
    label: "mat-vec-gated",
    ...build,
    buffers: {
      input,
      ...planes,
      squares: norm ? await upload(device, norm.squares) : input,
      step: await uploadStep(device, rows),
      output: output.binding,
    },
    params: { columns, width, hasNorm: Number(norm !== undefined), epsilon: norm?.epsilon ?? 0 },
    overrides: { ...build.overrides, ACTIVATION: ACTIVATIONS.indexOf(activation) },
  });
  runOnce(device, operation, { rows });
  return output.read();
}

describeAdapters("mat-vec-gated", (adapter) => {
  test.each(SUPPORTED_FORMATS)("$name equals the float64 result", async (format) => {
    const device = await adapter.device();
    const wide = Math.max(96, format.blockLength);
    for (const [width, columns] of [
      [32, Math.max(4, format.blockLength)],
      [96, wide],
    ] as const) {
      const { weights, planes } = await randomMatrix(device, format, 2 * width, columns);
      const input = randomFloats(3 * columns, 3);
      const actual = await run(device, { format, columns, width, planes, input });
      expect(nmse(actual, matVecGatedReference(input, weights, columns, "silu"))).toBeLessThan(MAX_NMSE);
    }
  });

  test.each(ACTIVATIONS)("%s, on ordinary gates and on gates that overflow an exponential", async (activation) => {
    const device = await adapter.device();
    const [width, columns] = [32, 64];
    const { weights, planes } = await randomMatrix(device, F32, 2 * width, columns);
    for (const size of [1, 1e3, 1e6]) {
      const input = randomFloats(columns, 4).map((value) => value * size);
      const actual = await run(device, { format: F32, columns, width, planes, input, activation });
      expect(actual.every(Number.isFinite)).toBe(true);
      // The error function is good to 1.5e-7 and the other exponentials to a few units in the last place.
      expect(nmse(actual, matVecGatedReference(input, weights, columns, activation))).toBeLessThan(1e-10);
    }
  });

  const several = matVecVariantsOn(adapter).filter(([, { lanes, slices }]) => lanes * slices >= 32);
  test.for([["the adapter's own", undefined], ...several, ...COMPACT_VARIANTS] as const)(
    "%s: a row has the same bits alone, beside others, and four to a workgroup",
    async ([, variant], context) => {
      await requireArithmetic(context, adapter, variant);
      const device = await adapter.device();
      const [width, columns, rows] = [64, 576, 16];
      const { weights, planes } = await randomMatrix(device, Q4_1, 2 * width, columns);
      const input = randomFloats(rows * columns, 7);
      const shared = { format: Q4_1, columns, width, planes, ...(variant && { variant }) };
      const expected = await run(device, { ...shared, input });
      const x = roundedFor(variant, input);
      expect(nmse(expected, matVecGatedReference(x, weights, columns, "silu"))).toBeLessThan(2 * maxNmse(variant));
      for (const [from, count, together] of [
        [0, 1, 1],
        [15, 1, 1],
        [0, 16, 4],
        [6, 1, 4],
        [9, 7, 4],
      ] as const) {
        const part = input.slice(from * columns, (from + count) * columns);
        const name = `rows ${from} to ${from + count}, ${together} together`;
        const actual = await run(device, { ...shared, input: part, together });
        expect(actual, name).toEqual(expected.slice(from * width, (from + count) * width));
      }
    },
  );

  test.each(matVecVariantsOn(adapter))(
    "%s: what its producer left of a residual stream is scaled by the norm, with the same bits four to a workgroup",
    async (_, variant) => {
      const device = await adapter.device();
      const [width, columns, epsilon] = [64, 160, 1e-5];
      const { weights, planes } = await randomMatrix(device, Q4_1, 2 * width, columns);
      const residual = randomFloats(3 * columns, 13);
      const gain = randomFloats(columns, 14);
      const { normed, squares } = normInputReference(residual, gain, columnsInSum(variant.slices === 1));
      const norm = { squares: Float32Array.from(squares), epsilon };
      const shared = { format: Q4_1, columns, width, planes, input: Float32Array.from(normed), norm, variant };
      const alone = await run(device, shared);
      const input = rmsNormReference(residual, gain, epsilon);
      expect(nmse(alone, matVecGatedReference(input, weights, columns, "silu"))).toBeLessThan(MAX_NMSE);
      expect(await run(device, { ...shared, together: 4 })).toEqual(alone);
    },
  );

  test("a matrix of more tiles than a grid is wide", async () => {
    const device = await adapter.device();
    const columns = 32;
    const width = (MAX_WORKGROUPS + 2) * 32;
    const gates = tilesAroundFold(width);
    const tiles = gates.flatMap((tile) => [tile, tile + width / 32]);
    const { filled, ...planes } = await sparsePlanes(device, 2 * width, columns, tiles);
    const input = randomFloats(columns, 12);
    const actual = await run(device, { format: Q4_1, columns, width, planes, input });
    for (const [index, tile] of gates.entries()) {
      const weights = Float32Array.of(...filled[2 * index]!.weights, ...filled[2 * index + 1]!.weights);
      const expected = matVecGatedReference(input, weights, columns, "silu");
      expect(nmse(actual.slice(tile * 32, tile * 32 + 32), expected)).toBeLessThan(MAX_NMSE);
    }
    expect(actual.filter((value) => value !== 0).length).toBe(gates.length * 32);
  });
});
