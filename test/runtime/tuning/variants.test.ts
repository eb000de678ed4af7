// Which variants adapters begin with, which they may choose from, and how a model's matrices fall into classes.
import { expect, test } from "vitest";
import { readGguf } from "../../../src/gguf/gguf.ts";
import type { TensorFormat } from "../../../src/gguf/tensor-types.ts";
import type { StagedVariant } from "../../../src/kernels/mat-mul-variant.ts";
import type { MatVecRows } from "../../../src/kernels/mat-vec.ts";
import { type MatVecVariant, matVecBuild } from "../../../src/kernels/mat-vec-variant.ts";
import { type KernelFacts, PRECISIONS, type Precision } from "../../../src/kernels/precision.ts";
import { specOf } from "../../../src/model/architectures/index.ts";
import { buildGraph } from "../../../src/model/graph.ts";
import type { MatrixRef } from "../../../src/model/spec.ts";
import type { Matrix } from "../../../src/model/weights.ts";
import { formatOf } from "../../../src/quant/formats.ts";
import { Q4_1 } from "../../../src/quant/q4_1.ts";
import { seedsFor } from "../../../src/runtime/tuning/seeds.ts";
import {
  candidatesOf,
  classesOf,
  describeVariants,
  type KernelFamily,
  maxDifferenceOf,
  variantsFor,
} from "../../../src/runtime/tuning/variants.ts";
import { memorySource } from "../../../src/storage/byte-source.ts";
import { tinyModel } from "../../fixtures/tiny-models.ts";

function facts(isFallback: boolean, subgroupSize: number, precision?: Precision): KernelFacts {
  const names = { vendor: "", architecture: "", device: "", description: "" };
  return { ...names, isFallback, subgroupSize, shaderF16: true, packedDot: true, readableTextures: true, precision };
}
const ADAPTERS = [true, false].flatMap((isFallback) =>
  [0, 4, 8, 32].flatMap((size) => PRECISIONS.map((precision) => facts(isFallback, size, precision))),
);

test.each([
  ["lavapipe", facts(true, 8), "broadcast 8", "broadcast 8", "broadcast 8"],
  ["SwiftShader", facts(true, 4), "broadcast 4", "broadcast 4", "broadcast 4"],
  ["a CPU without subgroups", facts(true, 0), "8 x 1", "8 x 1", "64 x 4"],
  ["a CPU that cannot read textures", { ...facts(true, 8), readableTextures: false }, "8 x 1", "8 x 1", "64 x 4"],
  ["a GPU", facts(false, 32), "8 x 32 for 8", "8 x 16 for 16", "staged 64 x 64"],
  ["a GPU with subgroups of 8", facts(false, 8), "8 x 32 for 8", "8 x 16 for 16", "staged 64 x 64"],
  ["a GPU that says nothing", facts(false, 0), "8 x 32 for 8", "8 x 16 for 16", "staged 64 x 64"],
])("%s begins with its seeds, which may be others for a head", (_, adapter, matVec, ofHead, matMul) => {
  const [gate, head] = [28_672, 49_152].map((rows) => seedsFor(adapter, { format: Q4_1, rows }));
  expect([gate!.matVec.name, head!.matVec.name]).toEqual([matVec, ofHead]);
  expect([gate!.matMul.name, head!.matMul.name]).toEqual([matMul, matMul]);
});

test("each adapter has at most 12 variants of a family, of different names, within WebGPU's default limits", () => {
  for (const adapter of ADAPTERS) {
    for (const family of ["mat-vec", "mat-mul"] as const) {
      const names = candidatesOf({ family, format: Q4_1, rows: 8 }, adapter);
      expect(names.length).toBeLessThanOrEqual(12);
      expect(new Set(names).size).toBe(names.length);
      for (const name of names) {
        const variants = variantsFor(adapter, { [`${family} Q4_1 8 x 32`]: name });
        const matrix: Matrix = { format: Q4_1, rows: 8, columns: 32, parts: [] };
        if (family === "mat-vec") {
          const variant = variants.matVec(matrix);
          expect(variant.name).toBe(name);
          // The kernels of one adapter leave each other sums of squares in one form.
          expect(variant.slices === 1).toBe(adapter.isFallback);
          for (const rows of [1, 4] as const) expectMatVec(variant, rows);
        } else {
          const variant = variants.matMul(matrix);
          expect(variant.name).toBe(name);
          if (variant.kernel === "mat-mul")
            expect(4 * variant.overrides.TILES * variant.overrides.FOURS).toBeLessThanOrEqual(256);
          if (variant.kernel === "mat-mul-staged") expectStaged(variant);
        }
      }
    }
  }
});

/** What mat-vec-threads.wgsl counts on, and workgroup memory of mat-vec-gated, which has most. */
function expectMatVec(variant: MatVecVariant, rows: MatVecRows): void {
  const { LANES, PER_LANE, SLICES } = matVecBuild(Q4_1, variant, rows).overrides;
  const [part, threads] = [LANES * PER_LANE, LANES * SLICES];
  // Four rows of x add up in the order in which one does.
  expect(SLICES).toBe(variant.slices);
  expect(threads).toBeLessThanOrEqual(256);
  expect(32 % part).toBe(0);
  if (SLICES === 1) return;
  expect(threads).toBeGreaterThanOrEqual(part); // of which each adds up one row's sums
  expect(PER_LANE).toBeLessThanOrEqual(4); // as far as keepPartials goes
  // Vectors of 16 bytes: of the slices that are added up at once what they add to gate and up; squares; and what
  // mat-vec-staged.wgsl keeps of each thread.
  const atOnce = Math.min(SLICES, 512 / (2 * part));
  expect(SLICES % atOnce).toBe(0);
  const staged = variant.arithmetic === undefined ? 0 : { f16: 72, int8: 48 }[variant.arithmetic];
  expect((atOnce * 2 * part + SLICES) * 16 + threads * staged).toBeLessThanOrEqual(16 * 1024);
  // Each of its parts of x has whole rounds of the slices.
  if (staged > 0) expect((threads / rows) % SLICES).toBe(0);
}

/** What mat-mul-staged.wgsl and its arithmetics count on: threads, their shares of rows, and workgroup memory. */
function expectStaged({ overrides: { TILES, ROWS, W_FOURS, X_FOURS }, arithmetic }: StagedVariant): void {
  const rowsOfW = TILES * 32;
  const threads = (rowsOfW / (4 * W_FOURS)) * (ROWS / (4 * X_FOURS));
  expect(threads).toBeLessThanOrEqual(256);
  expect((rowsOfW + ROWS) * (arithmetic === "int8" ? 3 : 5) * 16).toBeLessThanOrEqual(16 * 1024);
  if (arithmetic === "int8") {
    expect(threads).toBeGreaterThanOrEqual(Math.max(rowsOfW, ROWS));
  } else {
    expect([1, 2]).toContain(threads / rowsOfW);
    expect([1, 2]).toContain((4 * ROWS) / threads);
  }
}

test("a CPU adapter, to which barriers are dear, is offered no staged mat-mul, and a GPU is", () => {
  for (const adapter of ADAPTERS) {
    const names = candidatesOf({ family: "mat-mul", format: Q4_1, rows: 8 }, adapter);
    expect(names.some((name) => name.startsWith("staged"))).toBe(!adapter.isFallback);
  }
});

test.each<[string, KernelFacts, TensorFormat, readonly string[]]>([
  ["exact on a GPU", facts(false, 32, "exact"), "Q4_1", []],
  ["weights that are floats", facts(false, 32, "fast"), "F16", []],
  [
    "fast on a GPU",
    facts(false, 32, "fast"),
    "Q4_1",
    ["8 x 8 for 16 f16", "8 x 8 f16", "8 x 16 for 16 int8", "8 x 8 int8"],
  ],
  ["no halves", { ...facts(false, 32, "fast"), shaderF16: false }, "Q8_0", ["8 x 16 for 16 int8", "8 x 8 int8"]],
  [
    "no products of bytes",
    { ...facts(false, 32, "fast"), packedDot: false },
    "Q4_K",
    ["8 x 8 for 16 f16", "8 x 8 f16"],
  ],
])("numbers of fewer bits: %s", (_, adapter, name, compact) => {
  const format = formatOf(name)!;
  const candidates = candidatesOf({ family: "mat-vec", format, rows: 8 }, adapter);
  expect(candidates.filter((variant) => / (f16|int8)$/.test(variant))).toEqual(compact);
  const products = candidatesOf({ family: "mat-mul", format, rows: 8 }, adapter).filter((variant) =>
    variant.endsWith("int8"),
  );
  expect(products).toEqual(compact.includes("8 x 8 int8") ? ["staged 64 x 64 int8"] : []);
  // A GPU has to be measured before it loses precision, which a CPU adapter never is; that loses it in decode alone.
  expect(seedsFor(adapter, { format, rows: 8 }).matVec.arithmetic).toBeUndefined();
  expect(seedsFor(adapter, { format, rows: 8 }).matMul.arithmetic).toBeUndefined();
  const ofCpu = seedsFor({ ...adapter, isFallback: true }, { format, rows: 8 });
  expect(ofCpu.matVec.arithmetic).toBe(compact.includes("8 x 8 int8") ? "int8" : undefined);
  expect(ofCpu.matMul.arithmetic).toBeUndefined();
});

test("in a trial numbers of fewer bits may be off by more than sums in another order", () => {
  const adapter = facts(false, 32, "fast");
  const allowed = (family: KernelFamily, ...names: string[]) =>
    names.map((name) => maxDifferenceOf({ family, format: Q4_1 }, adapter, name));
  expect(allowed("mat-vec", "8 x 4", "8 x 8 f16", "8 x 8 int8")).toEqual([1e-9, 5e-6, 5e-4]);
  expect(allowed("mat-mul", "64 x 64", "staged 64 x 64", "staged 64 x 64 int8")).toEqual([1e-9, 1e-9, 5e-4]);
});

test("a choice holds for its class alone, and a name that is unknown is none", () => {
  const adapter = facts(false, 32);
  const matrix = (rows: number): Matrix => ({ format: formatOf("Q8_0")!, rows, columns: 64, parts: [] });
  const variants = variantsFor(adapter, { "mat-vec Q8_0 96 x 64": "32 x 4", "mat-mul Q8_0 96 x 64": "nothing" });
  expect(variants.matVec(matrix(96)).name).toBe("32 x 4");
  expect(variants.matVec(matrix(95)).name).toBe("8 x 32 for 8");
  expect(variants.matMul(matrix(96)).name).toBe("staged 64 x 64");
});

test("a model's classes: decode's first, larger matrices first, each with every op that takes its variant", async () => {
  const model = await readGguf(memorySource(tinyModel({ tokenizer: true, format: "Q8_0" })));
  const spec = specOf(model);
  const graphs = [buildGraph(spec, "prefill"), buildGraph(spec, "decode")];
  const stack = (refs: readonly MatrixRef[]): readonly Matrix[] => [
    {
      format: formatOf(refs[0]!.format)!,
      rows: refs.reduce((sum, { rows }) => sum + rows, 0),
      columns: refs[0]!.columns,
      parts: [],
    },
  ];
  const classes = classesOf(graphs, { matrices: stack });
  const stages = classes.map(({ graph }) => graph.stage);
  expect(stages).toEqual([...stages].sort());
  for (const stage of ["decode", "prefill"]) {
    const sizes = classes.filter(({ graph }) => graph.stage === stage).map(({ opWeights }) => opWeights);
    expect(sizes).toEqual([...sizes].sort((a, b) => b - a));
  }
  // q, k and v, the two of the residual stream, the gate with up, and the head; in prefill the head has no class of its own.
  const opsOf = (stage: string) => classes.filter(({ graph }) => graph.stage === stage).flatMap(({ ops }) => ops);
  expect(opsOf("decode").length).toBe(4 * spec.layers.length + 1);
  expect(opsOf("prefill").length).toBe(4 * spec.layers.length);
  expect(classes.every(({ name }) => /^mat-(vec|mul) Q8_0 \d+ x \d+$/.test(name))).toBe(true);

  const adapter = facts(false, 32);
  const { name } = classes[0]!;
  const seeds = describeVariants(adapter, classes, {});
  expect(seeds).toContain(`${name}: 8 x 32 for 8`);
  expect(describeVariants(adapter, classes, { [name]: "32 x 4" })).toBe(
    seeds.replace(`${name}: 8 x 32 for 8`, `${name}: 32 x 4`),
  );
  expect(describeVariants(adapter, classes, { [name]: "nothing", other: "8 x 1" })).toBe(seeds);
});
