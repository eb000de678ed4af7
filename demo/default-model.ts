// The model that is opened where none is named, in the page and, through scripts/default-model.ts, in the terminal.

/** A file whose content is known. */
export interface PinnedFile {
  name: string;
  byteLength: number;
  /** As its publisher gives it: 64 hexadecimal digits. */
  sha256: string;
}

/** SmolLM2-135M-Instruct by Hugging Face, Apache-2.0. */
export const DEFAULT_MODEL: PinnedFile = {
  name: "SmolLM2-135M-Instruct.Q4_1.gguf",
  byteLength: 98_362_432,
  sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
};
