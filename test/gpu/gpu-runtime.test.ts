// The GPU runtime passes the suite of every Runtime, on every adapter found.
import { readGguf } from "../../src/gguf/gguf.ts";
import { specOf } from "../../src/model/architectures/index.ts";
import { createGpuRuntime } from "../../src/runtime/gpu-runtime.ts";
import { memorySource } from "../../src/storage/byte-source.ts";
import { describeRuntime } from "../conformance/conformance.ts";
import { describeAdapters } from "./adapters.ts";

describeAdapters("GPU runtime", (adapter) => {
  describeRuntime(
    `on ${adapter.name}`,
    async (bytes, options) => {
      const model = await readGguf(memorySource(bytes));
      return createGpuRuntime({
        device: await adapter.device(),
        model,
        spec: specOf(model),
        prefillRows: 256,
        ...options,
      });
    },
    { maxAbs: 5e-3 },
  );
});
