// A model in one or several GGUF files: reads each header, checks that the parts belong together, and joins them.
// Keys: llama.cpp's gguf-split (split.no counts from 0, the file names from 1).

import { invariant } from "../base/invariant.ts";
import type { ByteSource, ModelSource } from "../storage/byte-source.ts";
import { type Gguf, readGguf, type TensorInfo } from "./gguf.ts";
import { LIMITS, malformed } from "./rules.ts";

/**
 * The header of the whole model. The parts of a split one may come in any order; their metadata is the first part's.
 * @throws EngineError `model_malformed`, also when a part is missing, foreign or given twice; and what `source.read` throws
 */
export async function readModel(source: ModelSource, signal?: AbortSignal): Promise<Gguf> {
  invariant(source.files.length > 0, "a model source without files");
  const parts: Part[] = [];
  for (const file of source.files) parts.push(await readPart(file, signal));
  const first = parts[0]!;
  if (first.count === 1 && parts.length === 1) return first.gguf;
  return join(inOrder(parts));
}

/** A file that may be a part; a model in one file has neither of the split keys. */
interface Part {
  readonly gguf: Gguf;
  readonly name: string;
  readonly number: number;
  readonly count: number;
  readonly tensorCount: number;
}

async function readPart(file: ByteSource, signal: AbortSignal | undefined): Promise<Part> {
  const gguf = await readGguf(file, signal);
  const { name } = file;
  const { metadata } = gguf;
  const [number, count, tensorCount] = ["split.no", "split.count", "split.tensors.count"].map((key) =>
    metadata.number(key),
  );
  if (number === undefined && count === undefined) {
    return { gguf, name, number: 0, count: 1, tensorCount: gguf.tensors.size };
  }
  if (number === undefined || count === undefined || tensorCount === undefined) {
    throw malformed(
      name,
      0,
      "split-keys",
      `split.no ${number}, split.count ${count}, split.tensors.count ${tensorCount}`,
    );
  }
  if (!Number.isInteger(count) || count < 1 || count > LIMITS.parts) {
    throw malformed(name, metadata.offsetOf("split.count"), "split-count", `${count}`);
  }
  if (!Number.isInteger(number) || number < 0 || number >= count) {
    throw malformed(name, metadata.offsetOf("split.no"), "split-number", `number ${number} of ${count}`);
  }
  return { gguf, name, number, count, tensorCount };
}

/** The parts by number, complete and consistent. */
function inOrder(parts: readonly Part[]): Part[] {
  const { count, tensorCount, gguf } = parts[0]!;
  const ordered: (Part | undefined)[] = Array.from({ length: count });
  for (const part of parts) {
    const offsetOf = (key: string) => part.gguf.metadata.offsetOf(key);
    if (part.count !== count) {
      throw malformed(part.name, offsetOf("split.count"), "split-count", `${part.count} beside ${count}`);
    }
    if (part.gguf.version !== gguf.version) {
      throw malformed(part.name, 4, "split-version", `${part.gguf.version} beside ${gguf.version}`);
    }
    if (part.tensorCount !== tensorCount) {
      const found = `${part.tensorCount} tensors beside ${tensorCount}`;
      throw malformed(part.name, offsetOf("split.tensors.count"), "split-tensors", found);
    }
    const twin = ordered[part.number];
    if (twin)
      throw malformed(part.name, offsetOf("split.no"), "split-number", `number ${part.number} as in ${twin.name}`);
    ordered[part.number] = part;
  }
  const missing = ordered.flatMap((part, i) => (part ? [] : [i + 1]));
  if (missing.length > 0) {
    const found = `${parts.length} of ${count} parts, without number ${missing.slice(0, 8).join(", ")}`;
    throw malformed(parts[0]!.name, 0, "split-missing", found);
  }
  return ordered as Part[];
}

function join(parts: readonly Part[]): Gguf {
  const first = parts[0]!;
  const tensors = new Map<string, TensorInfo>();
  parts.forEach((part, file) => {
    for (const tensor of part.gguf.tensors.values()) {
      if (tensors.has(tensor.name)) {
        throw malformed(part.name, 0, "tensor-name-unique", `${tensor.name}, which an earlier part has too`);
      }
      tensors.set(tensor.name, { ...tensor, file });
    }
  });
  if (tensors.size !== first.tensorCount) {
    const found = `${tensors.size} tensors instead of ${first.tensorCount}`;
    throw malformed(first.name, first.gguf.metadata.offsetOf("split.tensors.count"), "split-tensors", found);
  }
  return {
    version: first.gguf.version,
    metadata: first.gguf.metadata,
    tensors,
    files: parts.flatMap((part) => part.gguf.files),
  };
}
