// Qwen 2 and 2.5 and the distillations onto them: q, k and v have biases, rope turns the halves of a head.
import { type Adapter, decoderSpec } from "./decoder.ts";

export const qwen2: Adapter = (metadata, tensors, architecture) =>
  decoderSpec(metadata, tensors, architecture, { ropeLayout: "halves" });
