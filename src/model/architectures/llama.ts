// Llama 1 to 3, Mistral, SmolLM and whatever else GGUF files call "llama": q and k rows are stored permuted, so that rope
// turns neighbouring dimensions.
import { type Adapter, decoderSpec } from "./decoder.ts";

export const llama: Adapter = (metadata, tensors, architecture) =>
  decoderSpec(metadata, tensors, architecture, { ropeLayout: "interleaved" });
