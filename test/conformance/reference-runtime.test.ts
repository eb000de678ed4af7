// The CPU runtime passes the suite of every Runtime; with its KV unrounded it is exact to the digits of the goldens.
import { describe, expect, test } from "vitest";
import { readGguf } from "../../src/gguf/gguf.ts";
import { specOf } from "../../src/model/architectures/index.ts";
import { createReferenceRuntime, type ReferenceRuntimeOptions } from "../../src/runtime/reference-runtime.ts";
import { memorySource } from "../../src/storage/byte-source.ts";
import { tinyModel } from "../fixtures/tiny-models.ts";
import { type ConformanceOptions, describeExactness, describeRuntime } from "./conformance.ts";
import { PLAIN_MODEL } from "./models.ts";

const makeRuntime =
  (kv: ReferenceRuntimeOptions["kv"]) => async (bytes: Uint8Array<ArrayBuffer>, options: ConformanceOptions) => {
    const model = await readGguf(memorySource(bytes));
    return createReferenceRuntime({ model, spec: specOf(model), kv, ...options });
  };

describeRuntime("reference runtime", makeRuntime("f16"), { maxAbs: 5e-3 });
describeExactness("reference runtime with f32 keys and values", makeRuntime("f32"), { maxAbs: 2e-5 });

describe("loading", () => {
  test("ends with aborted when the signal has fired", async () => {
    const model = await readGguf(memorySource(tinyModel(PLAIN_MODEL)));
    const loading = createReferenceRuntime({ model, spec: specOf(model), signal: AbortSignal.abort() });
    await expect(loading).rejects.toMatchObject({ code: "aborted" });
  });
});
