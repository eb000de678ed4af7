// A tiny random model that never ends an answer by itself and always says something visible: its head knows only the tokens
// that are letters, and is so sure of them that no draw ever falls elsewhere.
import { writeGguf } from "../fixtures/gguf-writer.ts";
import { tinyModelParts } from "../fixtures/tiny-models.ts";
import { SMALLEST_VOCABULARY } from "../fixtures/tiny-tokenizer.ts";

const CONTEXT_LENGTH = 1024;
const CERTAINTY = 8;

export function endlessModel(): Uint8Array<ArrayBuffer> {
  const parts = tinyModelParts({ tokenizer: true, format: "F32", tiedHead: false, contextLength: CONTEXT_LENGTH });
  const tensors = parts.tensors!.map((tensor) => {
    if (tensor.name !== "output.weight") return tensor;
    const [rowLength] = tensor.shape;
    // Tokens from here on are merges: a letter after a space, or two letters.
    const firstLetter = SMALLEST_VOCABULARY * rowLength!;
    const weights = new Float32Array(tensor.data!.slice().buffer).map((weight, index) =>
      index < firstLetter ? 0 : CERTAINTY * weight,
    );
    return { ...tensor, data: new Uint8Array(weights.buffer) };
  });
  return writeGguf({ ...parts, tensors });
}
