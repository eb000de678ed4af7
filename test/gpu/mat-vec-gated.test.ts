// mat-vec-gated against float64: every format, every activation, extreme gates, rows beside others.
import { describe, expect, test } from "vitest";
import type { Device } from "../../src/gpu/device.ts";
import { MAX_WORKGROUPS, prepare } from "../../src/gpu/kernel.ts";
import { ACTIVATIONS, type ActivationName } from "../../src/kernels/gated-activation.ts";
import { matVecSlices } from "../../src/kernels/mat-vec.ts";
import { matVecGated, matVecGatedReference } from "../../src/kernels/mat-vec-gated.ts";
import { F32 } from "../../src/quant/f32.ts";
import type { QuantFormat } from "../../src/quant/format.ts";
import { SUPPORTED_FORMATS } from "../../src/quant/formats.ts";
import { Q4_1 } from "../../src/quant/q4_1.ts";
import { randomFloats } from "../quant/random-weights.ts";
import { describeAdapters } from "./adapters.ts";
import {
  guardedOutput,
  MAX_NMSE,
  nmse,
  randomMatrix,
  runOnce,
  sparsePlanes,
  type TestMatrix,
  tilesAroundFold,
  upload,
} from "./weight-kernels.ts";

interface Run {
  format: QuantFormat;
  columns: number;
  width: number;
  planes: TestMatrix["planes"];
  input: Float32Array;
  activation?: ActivationName;
  slices?: number;
}

async function run(device: Device, options: Run): Promise<Float32Array> {
  const { format, columns, width, planes, input, activation = "silu" } = options;
  const rows = input.length / columns;
  const output = await guardedOutput(device, rows * width);
  const operation = await prepare(device, matVecGated, {
    label: "mat-vec-gated",
    prelude: format.prelude,
    buffers: { input: await upload(device, input), ...planes, output: output.binding },
    params: { columns, width },
    overrides: {
      SLICES: options.slices ?? matVecSlices(device.adapter),
      ACTIVATION: ACTIVATIONS.indexOf(activation),
    },
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

  describe.each([1, 8])("in %i slices", (slices) => {
    test("a row's result does not depend on the rows beside it", async () => {
      const device = await adapter.device();
      const [width, columns, rows] = [64, 576, 16];
      const { weights, planes } = await randomMatrix(device, Q4_1, 2 * width, columns);
      const input = randomFloats(rows * columns, 7);
      const shared = { format: Q4_1, columns, width, planes, slices };
      const together = await run(device, { ...shared, input });
      expect(nmse(together, matVecGatedReference(input, weights, columns, "silu"))).toBeLessThan(MAX_NMSE);
      for (const row of [0, 6, 15]) {
        const alone = await run(device, { ...shared, input: input.slice(row * columns, (row + 1) * columns) });
        expect(alone).toEqual(together.slice(row * width, (row + 1) * width));
      }
    });
  });

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
