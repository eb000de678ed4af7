// embed against dequantized rows: every format, parts of a matrix, and scales so small that f16 holds them as subnormals.
import { expect, test } from "vitest";
import type { Device } from "../../src/gpu/device.ts";
import { type BufferBinding, prepare } from "../../src/gpu/kernel.ts";
import { embed, embedReference } from "../../src/kernels/embed.ts";
import { columnsInSum, normInputReference, squaresWidth } from "../../src/kernels/mat-vec-residual.ts";
import type { QuantFormat } from "../../src/quant/format.ts";
import { SUPPORTED_FORMATS } from "../../src/quant/formats.ts";
import { Q8_0 } from "../../src/quant/q8_0.ts";
import { randomFloats } from "../quant/random-weights.ts";
import { describeAdapters } from "./adapters.ts";
import {
  guardedOutput,
  isUntouched,
  MAX_NMSE,
  nmse,
  randomMatrix,
  runOnce,
  upload,
  uploadRows,
} from "./weight-kernels.ts";

interface Run {
  format: QuantFormat;
  columns: number;
  planes: { quants: BufferBinding; extras: BufferBinding };
  tokens: readonly number[];
  /** Where the tokens are, for all rows but the first; in place of `tokens`, whose ids are then none. */
  sampled?: Uint32Array<ArrayBuffer>;
  output: BufferBinding;
  rowOffset?: number;
  rowCount: number;
  scale?: number;
  /** What is left for a norm of the weight `gain`. */
  norm?: { gain: Float32Array; normed: BufferBinding; squares: BufferBinding };
  onCpu?: boolean;
}

async function run(device: Device, options: Run): Promise<void> {
  const { format, columns, planes, tokens, sampled, output, rowOffset = 0, rowCount, scale = 1, norm } = options;
  const rows = tokens.flatMap((token, row) => (sampled && row > 0 ? [9999, 0, 0, row] : [token, 0, 0, 0]));
  const operation = await prepare(device, embed, {
    label: "embed",
    prelude: format.prelude,
    buffers: {
      rows: await upload(device, Uint32Array.from(rows)),
      ...planes,
      tokens: sampled ? await upload(device, sampled) : planes.quants,
      gain: norm ? await upload(device, norm.gain) : planes.quants,
      output,
      normed: norm?.normed ?? (await upload(device, new Float32Array(4))),
      squares: norm?.squares ?? (await upload(device, new Float32Array(4))),
    },
    params: { columns, rowCount, rowOffset, scale, forNorm: Number(norm !== undefined) },
    overrides: { BY_EIGHT: options.onCpu === false },
  });
  runOnce(device, operation, { rows: tokens.length });
}

const TOKENS = [0, 69, 31, 32, 33, 0, 64];

describeAdapters("embed", (adapter) => {
  test.each(SUPPORTED_FORMATS)("$name: each number within a rounding of its dequantized weight", async (format) => {
    const device = await adapter.device();
    const shapes = { 1: [4, 36, 1060], 32: [32, 96, 1056], 256: [256, 1280] }[format.blockLength]!;
    for (const columns of shapes) {
      const { weights, planes } = await randomMatrix(device, format, 70, columns);
      const output = await guardedOutput(device, TOKENS.length * columns);
      await run(device, { format, columns, planes, tokens: TOKENS, output: output.binding, rowCount: 70 });
      const actual = await output.read();
      const expected = embedReference(TOKENS, weights, columns, 1);
      const off = actual.findIndex(
        (value, index) => Math.abs(value - expected[index]!) > 2 ** -23 * Math.abs(expected[index]!),
      );
      expect(off === -1 ? "none" : `[${off}] ${actual[off]} is not ${expected[off]}`).toBe("none");
    }
  });

  test("parts leave the tokens of other parts alone, and the scale is applied", async () => {
    const device = await adapter.device();
    const columns = 96;
    const { weights, bytes, planes } = await randomMatrix(device, Q8_0, 70, columns);
    const perRow = bytes.length / 70;
    const upper = await uploadRows(device, Q8_0, bytes.subarray(64 * perRow), columns);
    const expected = embedReference(TOKENS, weights, columns, 8);
    const shared = { format: Q8_0, columns, tokens: TOKENS, scale: 8 };

    const one = await guardedOutput(device, TOKENS.length * columns);
    await run(device, { ...shared, planes: upper, output: one.binding, rowOffset: 64, rowCount: 6 });
    const actual = await one.read();
    for (const [row, token] of TOKENS.entries()) {
      for (let at = row * columns; at < (row + 1) * columns; at++) {
        if (token < 64) expect(isUntouched(actual, at)).toBe(true);
        else expect(actual[at]).toBe(expected[at]);
      }
    }

    const both = await guardedOutput(device, TOKENS.length * columns);
    await run(device, { ...shared, planes: upper, output: both.binding, rowOffset: 64, rowCount: 6 });
    await run(device, { ...shared, planes, output: both.binding, rowCount: 64 });
    expect(await both.read()).toEqual(expected);
  });

  test("a row with a place takes the token that is there", async () => {
    const device = await adapter.device();
    const columns = 96;
    const { weights, planes } = await randomMatrix(device, Q8_0, 70, columns);
    const output = await guardedOutput(device, TOKENS.length * columns);
    const sampled = Uint32Array.from(TOKENS);
    await run(device, { format: Q8_0, columns, planes, tokens: TOKENS, sampled, output: output.binding, rowCount: 70 });
    expect(await output.read()).toEqual(embedReference(TOKENS, weights, columns, 1));
  });

  test("what the norm behind it needs is left, the padding of the sums of squares untouched", async () => {
    const device = await adapter.device();
    for (const [columns, onCpu] of [32, 96, 160].flatMap((each) => [[each, true] as const, [each, false] as const])) {
      const { weights, planes } = await randomMatrix(device, Q8_0, 70, columns);
      const gain = randomFloats(columns, 3);
      const output = await guardedOutput(device, TOKENS.length * columns);
      const normed = await guardedOutput(device, TOKENS.length * columns);
      const zeros = new Float32Array(TOKENS.length * squaresWidth(columns, columnsInSum(onCpu)));
      const squares = await guardedOutput(device, zeros.length, zeros);
      const norm = { gain, normed: normed.binding, squares: squares.binding };
      await run(device, {
        format: Q8_0,
        columns,
        planes,
        tokens: TOKENS,
        output: output.binding,
        rowCount: 70,
        norm,
        onCpu,
      });
      const left = normInputReference(embedReference(TOKENS, weights, columns, 1), gain, columnsInSum(onCpu));
      expect(nmse(await normed.read(), left.normed)).toBeLessThan(MAX_NMSE);
      expect(nmse(await squares.read(), left.squares)).toBeLessThan(MAX_NMSE);
    }
  });

  test("the smallest f16 scale is not flushed to zero", async () => {
    const device = await adapter.device();
    const bytes = new Uint8Array(Q8_0.blockBytes).fill(1);
    new DataView(bytes.buffer).setUint16(0, 1, true);
    const output = await guardedOutput(device, 32);
    const planes = await uploadRows(device, Q8_0, bytes, 32);
    await run(device, { format: Q8_0, columns: 32, planes, tokens: [0], output: output.binding, rowCount: 1 });
    expect(await output.read()).toEqual(new Float32Array(32).fill(2 ** -24));
  });
});
