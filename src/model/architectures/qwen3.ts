// Qwen 3, dense: query and key heads are normed before rope, which turns the halves of a head.
import { type Adapter, decoderSpec } from "./decoder.ts";

export const qwen3: Adapter = (metadata, tensors, architecture) =>
  decoderSpec(metadata, tensors, architecture, { ropeLayout: "halves" });
