// What the conformance suite cannot ask of every runtime: windows have no golden, but a window has a meaning.
import { expect, test } from "vitest";
import { readGguf } from "../../src/gguf/gguf.ts";
import { specOf } from "../../src/model/architectures/index.ts";
import { createReferenceRuntime } from "../../src/runtime/reference-runtime.ts";
import { memorySource } from "../../src/storage/byte-source.ts";
import { writeGguf } from "../fixtures/gguf-writer.ts";
import { tinyModelParts } from "../fixtures/tiny-models.ts";

/** Logits of the last id. In one layer, attention sees the tokens themselves, and rope only their distances. */
async function lastLogits(ids: readonly number[], window?: number): Promise<Float32Array> {
  const parts = tinyModelParts({ layerCount: 1, headCount: 2, kvHeadCount: 1 });
  const metadata = { ...parts.metadata, ...(window && { "llama.attention.sliding_window": window }) };
  const model = await readGguf(memorySource(writeGguf({ ...parts, metadata })));
  const runtime = await createReferenceRuntime({ model, spec: specOf(model), kv: "f32" });
  const rows = [{ sequence: runtime.open(), input: { ids }, want: { logits: true, at: "last" } }] as const;
  const result = await runtime.step({ stage: "prefill", rows });
  return result.rows[0]!.logits![0]!;
}

const IDS = Array.from({ length: 100 }, (_, i) => (i * 7 + 3) % 64);
const distance = (a: Float32Array, b: Float32Array) =>
  a.reduce((worst, value, i) => Math.max(worst, Math.abs(value - b[i]!)), 0);

test.each([1, 2, 30, 70])("a window of %i sees the last tokens only, the row's own included", async (window) => {
  const windowed = await lastLogits(IDS, window);
  expect(distance(windowed, await lastLogits(IDS.slice(-window)))).toBeLessThan(1e-4);
  expect(distance(windowed, await lastLogits(IDS.slice(-window - 1)))).toBeGreaterThan(1e-3);
  expect(distance(windowed, await lastLogits(IDS))).toBeGreaterThan(1e-3);
});

test("a window that nothing reaches past changes nothing", async () => {
  expect(await lastLogits(IDS, 100)).toEqual(await lastLogits(IDS));
});
