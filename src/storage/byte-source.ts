// Where bytes come from: one interface over HTTP ranges, files, OPFS and memory. A source is immutable while it is open.

/** Random access to an immutable run of bytes. */
export interface ByteSource {
  /** What a person would call it: a file name or URL, for messages only. */
  readonly name: string;
  /** Total length in bytes. */
  readonly size: number;
  /**
   * Exactly `length` bytes from `offset`; the caller owns the returned array.
   * @throws EngineError `download_failed`, `source_changed`, `storage_unavailable`, `aborted`
   */
  read(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>>;
}

/** A model as one or more GGUF files, with room for what belongs to it. */
export interface ModelSource {
  /** One file, or the parts of a split model in any order. */
  readonly files: readonly ByteSource[];
  /** An image or audio tower (projector). */
  readonly mmproj?: ByteSource;
  /** LoRA adapters. */
  readonly adapters?: readonly ByteSource[];
}
