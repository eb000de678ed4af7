// Where a model's files come from: opened when it is loaded, and again when a lost device is rebuilt.
import type { ByteSource, ModelSource } from "../storage/byte-source.ts";
import { identityOf, weightsIdentity } from "../storage/weights-identity.ts";

/** What is known of a download: bytes that are here, from the cache or from the network. */
export interface FetchProgress {
  readonly phase: "download" | "cache";
  readonly bytes: number;
  readonly total: number;
}

export interface OpenedModel {
  readonly source: ModelSource;
  /** The header was accepted: the weights are about to be read. */
  startBody(): void;
  /** After the last read of weights: completes and verifies what is kept. What is worth knowing comes back, for a person. */
  finish(signal: AbortSignal): Promise<readonly string[]>;
  /** Tells these weights from all others; asked for after `finish`. */
  identity(): Promise<string>;
  /** Closes what is open: when the model is loaded, or cannot be. */
  close(): void;
}

/** @throws EngineError `download_failed`, `storage_unavailable`, `aborted`, … */
export type OpenModel = (onProgress: (progress: FetchProgress) => void, signal: AbortSignal) => Promise<OpenedModel>;

/** A model whose bytes are at hand: files, blobs, memory. */
export function modelAtHand(source: ModelSource): OpenModel {
  return async (_onProgress, signal) => ({
    source,
    startBody: () => {},
    finish: async () => [],
    identity: () => joinIdentities(source.files, (file) => weightsIdentity(file, signal)),
    close: () => {},
  });
}

/** The identity of a file; of several, that of the list of theirs. */
export async function joinIdentities<File extends ByteSource>(
  files: readonly File[],
  identify: (file: File) => Promise<string>,
): Promise<string> {
  const identities: string[] = [];
  for (const file of files) identities.push(await identify(file));
  return identities.length === 1 ? identities[0]! : identityOf(identities);
}
