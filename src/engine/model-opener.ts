// Where a model's files come from: opened when it is loaded, and again when a lost device is rebuilt.
import type { ByteSource, ModelSource } from "../storage/byte-source.ts";
import { identityOf, weightsIdentity } from "../storage/weights-identity.ts";

/** What is known of a download: bytes that are here (in the cache or from the network). */
export interface FetchProgress {
  readonly phase: "download" | "cache";
  readonly bytes: number;
  readonly total: number;
}

export interface OpenedModel {
  readonly source: ModelSource;
  /** Tells these weights from all others. */
  identity(signal: AbortSignal): Promise<string>;
  /** After the last read: completes and verifies what is kept, then closes it. */
  finish(signal: AbortSignal): Promise<void>;
  /** After a failure: closes what was opened. */
  close(): void;
}

/** @throws EngineError `download_failed`, `storage_unavailable`, `aborted`, … */
export type OpenModel = (onProgress: (progress: FetchProgress) => void, signal: AbortSignal) => Promise<OpenedModel>;

/** A model whose bytes are at hand: files, blobs, memory. */
export function modelAtHand(source: ModelSource): OpenModel {
  return async () => ({
    source,
    identity: (signal) => identityOfFiles(source.files, signal),
    finish: async () => {},
    close: () => {},
  });
}

/** The identity of a file; of several, that of the list of theirs. */
export async function identityOfFiles(files: readonly ByteSource[], signal: AbortSignal): Promise<string> {
  const identities: string[] = [];
  for (const file of files) identities.push(await weightsIdentity(file, signal));
  return identities.length === 1 ? identities[0]! : identityOf(identities);
}
