// Every architecture by GGUF's name for it (a barrel: adding a model adds one line here).
import { EngineError } from "../../base/errors.ts";
import type { Gguf } from "../../gguf/gguf.ts";
import type { ModelSpec } from "../spec.ts";
import { createTensorRefs } from "../tensor-refs.ts";
import type { Adapter } from "./decoder.ts";
import { llama } from "./llama.ts";
import { qwen2 } from "./qwen2.ts";
import { qwen3 } from "./qwen3.ts";

const ADAPTERS: ReadonlyMap<string, Adapter> = new Map([
  ["llama", llama],
  ["qwen2", qwen2],
  ["qwen3", qwen3],
]);

/** GGUF's names of the architectures that run here. */
const SUPPORTED_ARCHITECTURES: readonly string[] = [...ADAPTERS.keys()];

/**
 * What the file's model is made of. Reads the header only: whatever cannot run is refused before a weight is fetched.
 * @throws EngineError `unsupported_architecture`, `unsupported_format`, `model_malformed`
 */
export function specOf(gguf: Gguf): ModelSpec {
  const architecture = gguf.metadata.requireString("general.architecture");
  const adapter = ADAPTERS.get(architecture);
  if (!adapter)
    throw new EngineError(
      "unsupported_architecture",
      `The architecture "${architecture}" is not supported; supported: ${SUPPORTED_ARCHITECTURES.join(", ")}.`,
      { details: { architecture } },
    );
  const tensors = createTensorRefs(gguf.tensors);
  const spec = adapter(gguf.metadata, tensors, architecture);
  const unread = tensors.unread();
  if (unread.length > 0)
    throw new EngineError(
      "unsupported_architecture",
      `The file has ${unread.length} tensors that "${architecture}" does not use here, "${unread[0]}" for one: ` +
        "it is a variant that would run wrongly.",
      { details: { architecture } },
    );
  return spec;
}
